package emulator

// The only size of a cluster, and what people call it.
const (
	clusterName        = "PS_DEV"
	clusterDisplayName = "PS-DEV"
)

// listRegions shows the one region, whatever has it: the platform, an
// organization or a database.
func listRegions(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		if err := c.named(); err != nil {
			return answer{}, err
		}
		l, err := page(c, []object{showRegion()}, func(o object) any { return o })
		if err != nil {
			return answer{}, err
		}
		return ok(l)
	})
}

// listReadOnlyRegions shows none.
func listReadOnlyRegions(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		if err := c.named(); err != nil {
			return answer{}, err
		}
		l, err := page(c, nil, func(o object) any { return o })
		if err != nil {
			return answer{}, err
		}
		return ok(l)
	})
}

// listSizes shows the one size, in a list without an envelope.
func listSizes(c *call) (answer, error) {
	return c.locked(func() (answer, error) {
		if err := c.named(); err != nil {
			return answer{}, err
		}
		return ok([]object{{"type": "ClusterSizeSku", "name": clusterName, "display_name": clusterDisplayName, "cpu": "1/8", "ram": 1 << 30,
			"storage": nil, "metal": false, "enabled": true, "provider": nil, "provider_instance_type": nil, "architecture": "x86_64",
			"development": true, "production": true, "default_vtgate": "VTG_5", "default_vtgate_rate": nil, "rate": nil, "replica_rate": nil,
			"sort_order": 1}})
	})
}

// named finds whatever the path names, and nothing when it names nothing.
func (c *call) named() (err error) {
	switch {
	case c.r.PathValue("branch") != "":
		_, _, err = c.branch()
	case c.r.PathValue("db") != "":
		_, err = c.database()
	case c.r.PathValue("org") != "":
		_, err = c.organization()
	}
	return err
}
