package hubspot

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/nyaruka/phonenumbers"

	"talkstack"
)

// Properties of contacts that hold telephone numbers.
const (
	phoneProperty  = "phone"
	mobileProperty = "mobilephone"
)

// contactWait is how long to wait for a contact that somebody else is creating.
const contactWait = 3 * time.Second

// contact is the id of the contact with a number: one that is in the portal, or a new one.
func (p *portal) contact(ctx context.Context, e164 string) (string, error) {
	db := p.c.db
	if id, err := db.HubSpotContact(ctx, p.conn, e164); err != nil || id != "" {
		return id, err
	}
	id, err := p.findContact(ctx, e164)
	if err != nil {
		return "", err
	}
	if id != "" {
		return id, db.SetHubSpotContact(ctx, p.conn, e164, id)
	}
	// The search knows a new contact only after a while. So one of us creates it, and says so before: the others wait, and so
	// does who comes after a crash.
	claimed, err := db.ClaimHubSpotContact(ctx, p.conn, e164)
	if err != nil {
		return "", err
	}
	if !claimed {
		return "", &tooEarlyError{wait: contactWait}
	}
	var made record
	err = p.call(ctx, http.MethodPost, contactsPath, map[string]any{
		"properties": map[string]string{phoneProperty: e164}, "associations": []association{},
	}, &made)
	ctx = context.WithoutCancel(ctx) // what HubSpot has answered is kept even when the job is told to stop
	if err != nil {
		if answered(err) {
			if err := db.ForgetHubSpotContact(ctx, p.conn, e164); err != nil {
				return "", err
			}
		}
		return "", err
	}
	return made.ID, db.SetHubSpotContact(ctx, p.conn, e164, made.ID)
}

// maxContacts is how many contacts of a search are looked at.
const maxContacts = 50

// findContact searches the portal for a number, however it is written there: HubSpot keeps a searchable form without
// country code beside each (CRM search guide, "Search by phone number"). Of several contacts it is the oldest.
func (p *portal) findContact(ctx context.Context, e164 string) (string, error) {
	groups := []filterGroup{sameAs(phoneProperty, e164), sameAs(mobileProperty, e164)}
	number, err := phonenumbers.Parse(e164, "")
	region := ""
	if err == nil {
		national := strconv.FormatUint(number.GetNationalNumber(), 10)
		groups = append(groups, sameAs("hs_searchable_calculated_phone_number", national), sameAs("hs_searchable_calculated_mobile_number", national))
		region = phonenumbers.GetRegionCodeForNumber(number)
	}
	var found results
	err = p.search(ctx, contactsPath, searchRequest{
		Groups: groups, Sorts: []sortBy{{"createdate", "ASCENDING"}}, Properties: []string{phoneProperty, mobileProperty}, Limit: maxContacts,
	}, &found)
	if err != nil {
		return "", err
	}
	for _, r := range found.Results {
		if isNumber(r.Properties[phoneProperty], e164, region) || isNumber(r.Properties[mobileProperty], e164, region) {
			return r.ID, nil
		}
	}
	return "", nil
}

// isNumber reports whether a text of a contact is this number. Numbers of another country can have the same digits.
func isNumber(text, e164, region string) bool {
	if text == e164 {
		return true
	}
	if n, err := talkstack.ParseE164(text); err == nil {
		return n == e164
	}
	n, err := phonenumbers.Parse(text, region)
	return err == nil && phonenumbers.Format(n, phonenumbers.E164) == e164
}
