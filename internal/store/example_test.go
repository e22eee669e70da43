package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"talkstack"
	"talkstack/internal/store"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "talkstack-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	db, err := store.Open(ctx, store.Config{Path: filepath.Join(dir, "talkstack.db")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	if err := db.Migrate(ctx); err != nil {
		fmt.Println(err)
		return
	}
	u, err := db.CreateUser(ctx, talkstack.User{Email: "Ada@example.com", Name: "Ada"})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = db.CreateUser(ctx, talkstack.User{Email: "ada@example.com", Name: "Somebody else"})
	fmt.Println(u.Email)
	fmt.Println(talkstack.ErrorCode(err), talkstack.ErrorMessage(err))
	// Output:
	// ada@example.com
	// conflict An account with this e-mail address already exists.
}
