package batch_test

import (
	"fmt"
	"os"
	"testing"

	"talkstack/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		if err := loadAsChild(text); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "loading failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	storetest.Main(m)
}
