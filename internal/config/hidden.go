package config

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// No secret belongs into the configuration, and who writes one there by mistake must not find it in a log: problems show the line that they
// are about. So what may be a secret is shown as asterisks: a value that has to be the place of one and is not, a value whose key nobody
// knows, and what looks like one, for in a file that is no YAML nobody knows what is what.

// look is a form of secrets that is known. Its first group is hidden, unless it is harmless.
type look struct {
	form     *regexp.Regexp
	harmless func(found string) bool
}

var looks = []look{
	{regexp.MustCompile(`\bxox[a-z]*[-.]([^\s"',}\]]+)`), never}, // tokens of Slack
	{regexp.MustCompile(`\bxapp-([^\s"',}\]]+)`), never},
	{regexp.MustCompile(`(?i)\b(?:bearer|basic) +([^\s"',}\]]+)`), never}, // headers
	{regexp.MustCompile(`(?i)(?:secret|token|password|passwd|api_?key|authorization)[a-z_-]*["']?\s*[:=]\s*(\S.*)`), func(found string) bool {
		return place.MatchString(found)
	}},
	{regexp.MustCompile(`://([^/\s"'@]+@)`), never}, // a user and a password
	{regexp.MustCompile(`https?://([^\s"',}\]]+)`), func(found string) bool { return shownURL.MatchString(found) }},
	{regexp.MustCompile(`(?:^|[\s"'=,[({])([A-Za-z0-9+/=_-]{32,})`), func(found string) bool {
		return strings.ToLower(found) == found || strings.ToUpper(found) == found || !strings.ContainsAny(found, "0123456789")
	}}, // a key of AWS, say: letters of both cases, and digits
}

func never(string) bool { return false }

var (
	// shownURL are the URLs that Ebb needs: of queues, and of endpoints on this machine.
	shownURL = regexp.MustCompile(`^(?:[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?|127\.0\.0\.1|localhost|\[::1\])(?:[:/]|$)`)
	// place is where a secret may stand.
	place = regexp.MustCompile(`^(?:env|file|ssm|secretsmanager):`)
)

// hide replaces what may be a secret, character by character, so that a caret below stays in its place.
func hide(text string, known []string) string {
	for _, secret := range known {
		text = strings.ReplaceAll(text, secret, stars(secret))
	}
	for _, l := range looks {
		var out strings.Builder
		end := 0
		for _, m := range l.form.FindAllStringSubmatchIndex(text, -1) {
			if found := text[m[2]:m[3]]; !l.harmless(found) && !strings.HasSuffix(text[:m[2]], "secretsmanager:") {
				out.WriteString(text[end:m[2]] + stars(found))
				end = m[3]
			}
		}
		text = out.String() + text[end:]
	}
	return text
}

func stars(s string) string { return strings.Repeat("*", len([]rune(s))) }

// hides remembers every scalar in a node as what may be a secret.
func (d *document) hides(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode {
		d.hide(node.Value)
	}
	for _, part := range node.Content {
		d.hides(part)
	}
}

func (d *document) hide(value string) {
	if len(value) > 3 && !place.MatchString(value) { // less would hide parts of words
		d.hidden = append(d.hidden, value)
	}
}
