package notify

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/slack-go/slack"

	"github.com/ebbhq/ebb/internal/notice"
)

// textLimit is how many characters a text in a section may have, with room for what is put around it. Slack takes 3,000, and 50 blocks.
// https://docs.slack.dev/reference/block-kit/blocks/section-block
const textLimit = 2800

// postWebhook sends a notice to an incoming webhook of Slack.
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
func (s *Sender) postWebhook(ctx context.Context, n notice.Notice, secret string) error {
	url, err := address(secret)
	if err != nil {
		return err
	}
	message := &slack.WebhookMessage{Text: plainText(n), Blocks: &slack.Blocks{BlockSet: blocks(n)}}
	return slackSaid(slack.PostWebhookCustomHTTPContext(ctx, url, s.http, message))
}

// post shows a notice as a message of a bot, or in place of the message that the drain has already.
func (s *Sender) post(ctx context.Context, r Route, n notice.Notice, message, token string) (string, error) {
	options := []slack.Option{slack.OptionHTTPClient(s.http)}
	if s.slack != "" {
		options = append(options, slack.OptionAPIURL(s.slack))
	}
	api := slack.New(token, options...)
	body := []slack.MsgOption{slack.MsgOptionText(plainText(n), false), slack.MsgOptionBlocks(blocks(n)...)}
	if message != "" {
		_, name, _, err := api.UpdateMessageContext(ctx, r.Channel, message, body...)
		if refused, is := errors.AsType[slack.SlackErrorResponse](err); !is || refused.Err != "message_not_found" && refused.Err != "cant_update_message" {
			return name, slackSaid(err)
		}
	}
	_, name, err := api.PostMessageContext(ctx, r.Channel, body...)
	return name, slackSaid(err)
}

// slackSaid is what an error of Slack means for a notice.
func slackSaid(err error) error {
	if limited, is := errors.AsType[*slack.RateLimitedError](err); is {
		return &notice.Later{For: limited.RetryAfter, Why: "Slack takes no more messages for now"}
	}
	if status, is := errors.AsType[slack.StatusCodeError](err); is {
		return answered(status.Code, "")
	}
	refused, is := errors.AsType[slack.SlackErrorResponse](err)
	switch {
	case is && (refused.Err == "invalid_blocks" || refused.Err == "msg_too_long"):
		return &notice.Undeliverable{Why: "Slack says " + refused.Err}
	case is && word.MatchString(refused.Err):
		return failure("Slack says " + refused.Err)
	case is:
		return failure("Slack refuses it, and does not say why in a word that Ebb can show")
	}
	return err
}

// word is a code of Slack, such as channel_not_found. No token is one.
var word = regexp.MustCompile(`^[a-z_]{1,64}$`)

// plainText is what Slack shows where it shows no blocks, as in a notification on a telephone.
func plainText(n notice.Notice) string { return escape(icon(n) + " " + n.Title) }

func icon(n notice.Notice) string {
	switch n.Event {
	case notice.Forced:
		return ":rotating_light:"
	case notice.Stuck, notice.LetGo:
		return ":warning:"
	case notice.Done:
		return ":white_check_mark:"
	case notice.Digest:
		return ":bar_chart:"
	case notice.Scaled:
		return ":straight_ruler:"
	case notice.Planned:
		return ":calendar:"
	case notice.Started, notice.Test:
	}
	return ":hourglass_flowing_sand:"
}

// blocks is a notice as Slack shows it.
func blocks(n notice.Notice) []slack.Block {
	section := func(text string) slack.Block {
		return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, text, false, false), nil, nil)
	}
	all := []slack.Block{section(icon(n) + " *" + escape(n.Title) + "*")}
	if n.Text != "" {
		all = append(all, section(escape(n.Text)))
	}
	if len(n.CutOff) > 0 {
		all = append(all, section("*Cut off*\n"+escape("• "+strings.Join(n.CutOff, "\n• "))))
	}
	if n.Fix != "" {
		all = append(all, section("```"+escape(strings.ReplaceAll(n.Fix, "```", "'''"))+"```"))
	}
	where := []string{n.At.UTC().Format("2006-01-02 15:04:05 UTC")}
	for _, of := range [][2]string{{"cluster", n.Cluster}, {"group", n.Group}, {"drain", n.Drain}} {
		if of[1] != "" {
			where = append(where, of[0]+" "+of[1])
		}
	}
	return append(all, slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, escape(strings.Join(where, " · ")), false, false)))
}

// escape spells the three characters that mean something in a text of Slack, and cuts a text that is too long for a block.
// https://docs.slack.dev/messaging/formatting-message-text
func escape(s string) string {
	spelled := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	var out strings.Builder
	count := 0
	for _, c := range s {
		part := spelled.Replace(string(c))
		if count += len([]rune(part)); count > textLimit {
			return out.String() + "..."
		}
		out.WriteString(part)
	}
	return out.String()
}
