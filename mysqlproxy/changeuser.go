package mysqlproxy

// changeUser logs the client in again: a new session with a new backend, in
// place of the old one. A failure ends the connection, as in MySQL.
func (c *conn) changeUser(m message) error {
	if m.rest.more() {
		return malformed("a change of user that is too long")
	}
	r, err := parseChangeUser(m.head[1:], c.client.response.caps)
	if err != nil {
		return err
	}
	if r.charset == 0 {
		r.charset = c.client.charset
	}
	withTLS := c.client.tls
	c.close()
	c.client.response = r
	if err := c.open(r, withTLS); err != nil {
		return errQuit // it has been told why
	}
	return nil
}
