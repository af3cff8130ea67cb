package mysqlproxy

import "strings"

// fieldList passes on the old way of asking for a table's columns.
func (c *conn) fieldList(m message) error {
	table, _, _ := strings.Cut(m.text(), "\x00")
	st := c.begin(FieldList, table)
	if done, err := c.decided(m, st, c.decide(st), false); done {
		return err
	}
	if err := c.exchange(m); err != nil {
		return c.lost(st, err)
	}
	var info ResultInfo
	end, err := c.rows(&info) // column definitions, ended as rows are
	if err != nil {
		return c.lost(st, err)
	}
	st.Err = info.Err
	info.Rows = 0
	st.Results = []ResultInfo{info}
	c.finish(st)
	return c.client.writeFlush(end.packet)
}
