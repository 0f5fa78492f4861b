package core

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Paging is how one call wants its answer cut.
type Paging struct {
	Operation string
	Asked     *int32 // by the caller; nil: Fallback
	Fallback  int
	Most      int // what AWS allows to ask for
	Token     *string
}

// Page cuts one page out of a whole answer and returns the token for the next; false if the token is none of these. Items that come or go between
// the pages neither repeat nor hide others: the token names the last item, not only its place.
func Page[T any](c *Call, p Paging, all []T, key func(T) string) (items []T, next *string, ok bool) {
	size := p.Fallback
	if p.Asked != nil {
		size = int(*p.Asked)
	}
	size = min(size, p.Most)
	if c.PageSize > 0 {
		size = min(size, c.PageSize)
	}
	from := 0
	if p.Token != nil && *p.Token != "" {
		if from, ok = resume(p, all, key, c.Lagging); !ok {
			return nil, nil, false
		}
	}
	to := min(len(all), from+max(size, 1))
	if to < len(all) {
		token := mint(p.Operation, to, key(all[to-1]))
		next = &token
	}
	return all[from:to], next, true
}

func mint(operation string, offset int, last string) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %s", operation, offset, last))
}

// resume finds where the page after a token starts. When the item that the token names has gone, the one after it may be skipped: AWS does
// not say that none is. A read that lags is another matter: what it does not show yet was not skipped, so lists that are in order go on there.
func resume[T any](p Paging, all []T, key func(T) string, lagging bool) (int, bool) {
	raw, err := base64.StdEncoding.DecodeString(*p.Token)
	if err != nil {
		return 0, false
	}
	parts := strings.SplitN(string(raw), " ", 3)
	if len(parts) != 3 || parts[0] != p.Operation {
		return 0, false
	}
	offset, err := strconv.Atoi(parts[1])
	if err != nil || offset < 1 {
		return 0, false
	}
	if offset <= len(all) && key(all[offset-1]) == parts[2] {
		return offset, true
	}
	for i, item := range all {
		if key(item) == parts[2] {
			return i + 1, true
		}
	}
	byKey := func(x, y T) int { return strings.Compare(key(x), key(y)) }
	if lagging && slices.IsSortedFunc(all, byKey) {
		i, _ := slices.BinarySearchFunc(all, parts[2], func(x T, last string) int { return strings.Compare(key(x), last) })
		return i, true
	}
	return min(offset-1, len(all)), true
}
