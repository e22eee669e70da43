package storetest

import (
	"testing"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"talkstack/internal/store"
)

// Jobs are the jobs of a kind that the database holds, at most 100, in the order in which they were inserted.
func Jobs(t testing.TB, db *store.DB, kind river.JobArgs) []*rivertype.JobRow {
	t.Helper()
	client, err := db.NewJobClient(&river.Config{})
	must(t, err)
	found, err := client.JobList(t.Context(), river.NewJobListParams().Kinds(kind.Kind()).OrderBy(river.JobListOrderByID, river.SortOrderAsc).First(100))
	must(t, err)
	return found.Jobs
}
