package brain

import (
	"io"
	"sync"
)

// Prepared is a Reply whose pieces are all known when it is made. The zero value is not useful.
type Prepared struct {
	mu       sync.Mutex
	pieces   []Piece
	onCommit func()
}

// NewPrepared makes a reply of pieces. onCommit, which may be nil, is called by Commit.
func NewPrepared(pieces []Piece, onCommit func()) *Prepared {
	return &Prepared{pieces: pieces, onCommit: onCommit}
}

// Next returns the next piece.
func (p *Prepared) Next() (Piece, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pieces) == 0 {
		return Piece{}, io.EOF
	}
	next := p.pieces[0]
	p.pieces = p.pieces[1:]
	return next, nil
}

// Commit makes the answer real.
func (p *Prepared) Commit() {
	if p.onCommit != nil {
		p.onCommit()
	}
}

// Close drops the pieces that are left.
func (p *Prepared) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pieces = nil
}
