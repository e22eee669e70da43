package hubspot

// WithoutPace lets requests leave at once.
func (c *Connector) WithoutPace() { c.pace.off = true }
