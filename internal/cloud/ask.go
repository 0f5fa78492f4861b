package cloud

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Send sends a request by calling f: once, or again after a pause where that is wanted.
type Send func(ctx context.Context, f func() error) error

// Ask sends one request. F is the operation, as the SDK's clients have it.
func Ask[I, O, P any](ctx context.Context, send Send, f func(context.Context, *I, ...func(*P)) (*O, error), in *I) (out *O, err error) {
	err = send(ctx, func() error {
		out, err = f(ctx, in)
		return err
	})
	return out, err
}

// All reads every page. Token is where the request names the page, and read takes from an answer its items and the next page's token.
// When a page fails, the items of those before it come with the error. The SDK's own paginators do not notice a page that comes twice.
func All[I, O, P, T any](
	ctx context.Context, send Send, f func(context.Context, *I, ...func(*P)) (*O, error), in *I, token **string, read func(*O) ([]T, *string),
) ([]T, error) {
	var all []T
	err := Pages(func(page *string) (*string, error) {
		*token = page
		request := *in
		out, err := Ask(ctx, send, f, &request)
		if err != nil {
			return nil, err
		}
		items, next := read(out)
		all = append(all, items...)
		return next, nil
	})
	return all, err
}

// Pages calls page with the token of each page in turn, until there is no further one or it fails. The first token is nil.
func Pages(page func(token *string) (next *string, err error)) error {
	var token *string
	for {
		next, err := page(token)
		if err != nil || aws.ToString(next) == "" {
			return err
		}
		if aws.ToString(next) == aws.ToString(token) {
			return errors.New("the same page came twice: AWS repeated its NextToken")
		}
		token = next
	}
}

// Convert converts each item. It returns nil for none.
func Convert[A, B any](items []A, f func(A) B) []B {
	var out []B
	for _, item := range items {
		out = append(out, f(item))
	}
	return out
}

// Texts converts between two kinds of text, such as names and plain strings.
func Texts[B, A ~string](items []A) []B { return Convert(items, func(a A) B { return B(a) }) }
