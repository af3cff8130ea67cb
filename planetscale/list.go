package planetscale

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"strconv"
)

const (
	// perPage is the most that the API gives at once; its default is 25.
	perPage = 100
	// mostPages bounds a list, in case that its pages never end.
	mostPages = 1000
)

// envelope is what every list comes in. A list without data is none: a caller
// may take an item's absence from a list as proof.
type envelope struct {
	Data     json.RawMessage `json:"data"`
	NextPage *int            `json:"next_page"`
}

// list reads all pages. key names an item, so that one that slides to the next
// page while the pages are read comes once; an empty name keeps the item.
func list[T any](ctx context.Context, c *Client, op operation, path []string, query url.Values, key func(*T) string) ([]T, error) {
	var all []T
	seen := map[string]bool{}
	asked := url.Values{"per_page": {strconv.Itoa(perPage)}}
	maps.Copy(asked, query)
	page := 1
	for range mostPages {
		asked.Set("page", strconv.Itoa(page))
		items, next, err := readPage[T](ctx, c, op, path, asked)
		if err != nil {
			return nil, err
		}
		for i := range items {
			if k := key(&items[i]); k != "" {
				if seen[k] {
					continue
				}
				seen[k] = true
			}
			all = append(all, items[i])
		}
		if next == nil {
			return all, nil
		}
		if *next <= page {
			return nil, unusable(op, path, "the list's next page lies behind")
		}
		page = *next
	}
	return nil, unusable(op, path, "the list has no end")
}

// bare reads a list that comes whole: {"data": [...]}.
func bare[T any](ctx context.Context, c *Client, op operation, path []string, query url.Values) ([]T, error) {
	items, _, err := readPage[T](ctx, c, op, path, query)
	return items, err
}

func readPage[T any](ctx context.Context, c *Client, op operation, path []string, query url.Values) ([]T, *int, error) {
	var page envelope
	if err := c.call(ctx, op, path, query, nil, &page); err != nil {
		return nil, nil, err
	}
	if page.Data == nil {
		return nil, nil, unusable(op, path, "the list has no data")
	}
	var items []T
	if err := decode(page.Data, &items); err != nil {
		return nil, nil, unusable(op, path, "the list can't be understood: "+clean(c.scrub(err.Error())))
	}
	return items, page.NextPage, nil
}

// unusable is the error of a success whose content can't be right.
func unusable(op operation, path []string, message string) *Error {
	escaped, _ := joinPath(path)
	return request{operation: op, path: escaped}.malformed(op.success(), message)
}
