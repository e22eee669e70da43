package httpapi

import (
	"sync"

	"talkstack"
)

// places counts what each account has under way of something that it may have so many of at once.
type places struct {
	limit int

	mu    sync.Mutex
	taken map[talkstack.UserID]int
}

// enter takes a place, unless the account has all it may have.
func (p *places) enter(user talkstack.UserID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[user] >= p.limit {
		return false
	}
	if p.taken == nil {
		p.taken = map[talkstack.UserID]int{}
	}
	p.taken[user]++
	return true
}

func (p *places) leave(user talkstack.UserID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[user]--; p.taken[user] == 0 {
		delete(p.taken, user)
	}
}
