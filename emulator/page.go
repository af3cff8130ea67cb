package emulator

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// list is the envelope of every list.
type list struct {
	Type        string  `json:"type"`
	CurrentPage int     `json:"current_page"`
	PerPage     int     `json:"per_page,omitempty"`
	NextPage    *int    `json:"next_page"`
	NextPageURL *string `json:"next_page_url"`
	PrevPage    *int    `json:"prev_page"`
	PrevPageURL *string `json:"prev_page_url"`
	TotalCount  *int    `json:"total_count,omitempty"`
	TotalPages  *int    `json:"total_pages,omitempty"`
	Data        any     `json:"data"`
}

// perPage is how many items a page has unless asked otherwise, maxPerPage at
// most.
const (
	perPage    = 25
	maxPerPage = 100
)

// page cuts one page out of what a list found and shows its items.
func page[T any](c *call, items []T, show func(T) any) (list, error) {
	q := c.r.URL.Query()
	number, err := positive(q.Get("page"), 1)
	if err != nil {
		return list{}, err
	}
	size, err := positive(q.Get("per_page"), perPage)
	if err != nil {
		return list{}, err
	}
	size = min(size, maxPerPage)
	l := list{Type: "list", CurrentPage: number, PerPage: size}
	first := min((number-1)*size, len(items))
	last := min(first+size, len(items))
	data := make([]any, 0, last-first)
	for _, item := range items[first:last] {
		data = append(data, show(item))
	}
	l.Data = data
	if last < len(items) {
		l.NextPage, l.NextPageURL = c.pageURL(q, number+1)
	}
	if number > 1 {
		l.PrevPage, l.PrevPageURL = c.pageURL(q, number-1)
	}
	return l, nil
}

// withTotals adds the totals that the list of passwords has.
func (l list) withTotals(n int) list {
	pages := (n + l.PerPage - 1) / l.PerPage
	l.TotalCount, l.TotalPages = &n, &pages
	return l
}

func (c *call) pageURL(q url.Values, number int) (*int, *string) {
	q.Set("page", strconv.Itoa(number))
	u := strings.TrimSuffix(c.base, "/") + c.r.URL.Path + "?" + q.Encode()
	return &number, &u
}

func positive(s string, otherwise int) (int, error) {
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1<<30 {
		return 0, &apiError{http.StatusBadRequest, "bad_request", "page and per_page must be positive integers"}
	}
	return n, nil
}

// queryBool reads a boolean filter; nil is not asked for.
func (c *call) queryBool(name string) (*bool, error) {
	s := c.r.URL.Query().Get(name)
	if s == "" {
		return nil, nil
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		return nil, badRequest(name + " must be true or false")
	}
	return &b, nil
}
