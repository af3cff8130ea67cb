package emulator

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// webhookSettings is the body of POST and PATCH webhooks.
type webhookSettings struct {
	URL     *string   `json:"url"`
	Enabled *bool     `json:"enabled"`
	Events  *[]string `json:"events"`

	Authorization *string `json:"authorization_header"`
}

// check refuses what the platform refuses, but for plain HTTP to this machine,
// which is what the emulator is for.
func (n webhookSettings) check() error {
	if n.URL != nil {
		u, err := url.Parse(*n.URL)
		switch {
		case err != nil || u.Host == "" || u.User != nil:
			return invalid("Url is invalid")
		case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
			return invalid("Url must be HTTPS")
		}
	}
	if n.Authorization != nil && strings.ContainsFunc(*n.Authorization, unicode.IsControl) {
		return invalid("Authorization header is invalid")
	}
	if n.Events != nil {
		for _, name := range *n.Events {
			if !slices.Contains(webhookEvents, name) {
				return invalid(fmt.Sprintf("Events contains an unknown event %q", name))
			}
		}
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func showWebhook(w *webhook) object {
	return object{"id": w.ID, "type": "Webhook", "url": w.URL, "secret": w.Secret, "enabled": w.Enabled, "events": orEmpty(w.Events),
		"authorization_header_configured": w.Authorization != "",
		"last_sent_result":                orNull(w.Result), "last_sent_success": w.Success, "last_sent_at": atOrNull(w.SentAt),
		"created_at": at(w.CreatedAt), "updated_at": at(w.UpdatedAt)}
}

// webhook finds what the path names, with the lock held.
func (c *call) webhook() (*database, *webhook, error) {
	db, err := c.database()
	if err != nil {
		return nil, nil, err
	}
	for _, w := range db.Webhooks {
		if w.ID == c.r.PathValue("id") {
			return db, w, nil
		}
	}
	return nil, nil, errNotFound
}

func listWebhooks(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		db, err := c.database()
		if err != nil {
			return answer{}, err
		}
		l, err := page(c, db.Webhooks, func(w *webhook) any { return showWebhook(w) })
		if err != nil {
			return answer{}, err
		}
		return ok(l)
	})
}

func postWebhook(c *call) (answer, error) {
	var n webhookSettings
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	if n.URL == nil {
		return answer{}, invalid("Url can't be blank")
	}
	if err := n.check(); err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		db, err := c.database()
		if err != nil {
			return answer{}, err
		}
		if len(db.Webhooks) >= webhooksPerDatabase {
			return answer{}, unprocessable(fmt.Sprintf("A database can have at most %d webhooks", webhooksPerDatabase))
		}
		now := c.e.nowLocked()
		w := &webhook{ID: newID(), URL: *n.URL, Secret: chance(40), CreatedAt: now, UpdatedAt: now}
		set(&w.Enabled, n.Enabled)
		set(&w.Events, n.Events)
		set(&w.Authorization, n.Authorization)
		db.Webhooks = append(db.Webhooks, w)
		return created(showWebhook(w))
	})
}

func getWebhook(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		_, w, err := c.webhook()
		if err != nil {
			return answer{}, err
		}
		return ok(showWebhook(w))
	})
}

func patchWebhook(c *call) (answer, error) {
	var n webhookSettings
	if err := c.read(&n); err != nil {
		return answer{}, err
	}
	if err := n.check(); err != nil {
		return answer{}, err
	}
	return c.changing(func() (answer, error) {
		_, w, err := c.webhook()
		if err != nil {
			return answer{}, err
		}
		set(&w.URL, n.URL)
		set(&w.Enabled, n.Enabled)
		set(&w.Events, n.Events)
		set(&w.Authorization, n.Authorization)
		w.UpdatedAt = c.e.nowLocked()
		return ok(showWebhook(w))
	})
}

func deleteWebhook(c *call) (answer, error) {
	return c.changing(func() (answer, error) {
		db, w, err := c.webhook()
		if err != nil {
			return answer{}, err
		}
		db.Webhooks = slices.DeleteFunc(db.Webhooks, func(x *webhook) bool { return x == w })
		return noContent()
	})
}

func testWebhook(c *call) (answer, error) {
	return c.changing(func() (answer, error) {
		db, w, err := c.webhook()
		if err != nil {
			return answer{}, err
		}
		now := c.e.nowLocked()
		if w.TestedAt != nil && now.Sub(*w.TestedAt) < webhookTestEvery {
			return answer{}, unprocessable("A webhook can be tested once every 20 seconds")
		}
		w.TestedAt = &now
		c.e.sendLocked(db, w, webhookTest, func(c *call) object { return c.showDatabase(db) })
		return noContent()
	})
}
