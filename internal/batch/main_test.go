package batch_test

import (
	"testing"

	"talkstack/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }
