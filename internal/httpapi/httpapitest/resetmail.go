package httpapitest

import (
	"encoding/json"
	"net/url"
	"regexp"
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"talkstack/internal/auth"
	"talkstack/internal/mail"
	"talkstack/internal/store"
)

// ResetBase is what reset links start with.
const ResetBase = "https://talk.example"

// WorkResetMails does what the job worker would: it works all reset mails that wait, and returns how many did. A failing
// one fails the test.
func (s *Server) WorkResetMails(t testing.TB) int {
	t.Helper()
	client, closeListener, err := s.DB.NewJobWorker(t.Context(), &river.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeListener()
	waiting, err := client.JobList(t.Context(), river.NewJobListParams().
		Kinds(store.ResetMailJob{}.Kind()).States(rivertype.JobStateAvailable).First(1000))
	if err != nil {
		t.Fatal(err)
	}
	worker := auth.NewResetWorker(s.Accounts, ResetBase)
	for _, row := range waiting.Jobs {
		job := &river.Job[store.ResetMailJob]{JobRow: row}
		if err := json.Unmarshal(row.EncodedArgs, &job.Args); err != nil {
			t.Fatal(err)
		}
		if err := worker.Work(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		if _, err := client.JobDelete(t.Context(), row.ID); err != nil {
			t.Fatal(err)
		}
	}
	return len(waiting.Jobs)
}

// To are the mails to an address, oldest first.
func (m *Mailbox) To(address string) []mail.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	var mails []mail.Message
	for _, msg := range m.mails {
		if msg.To == address {
			mails = append(mails, msg)
		}
	}
	return mails
}

// ResetToken is the token of the last reset link that was mailed to an address.
func (m *Mailbox) ResetToken(t testing.TB, to string) string {
	t.Helper()
	mails := m.To(to)
	for i := len(mails) - 1; i >= 0; i-- {
		link := regexp.MustCompile(ResetBase + `/reset-password\?\S+`).FindString(mails[i].Text)
		if link == "" {
			continue
		}
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		return u.Query().Get("token")
	}
	t.Fatalf("no reset link was mailed to %s", to)
	return ""
}
