package rtp

import "encoding/binary"

const (
	headerSize    = 12
	version2      = 2 << 6
	markerBit     = 0x80
	maxPacketSize = 1500 // what an Ethernet can carry; audio packets are below 600 bytes
)

// comfortNoiseType is the static payload type of comfort noise (RFC 3389): the peer is silent on purpose.
const comfortNoiseType = 13

// packet is one parsed RTP packet. Its payload lies in the buffer it was parsed from.
type packet struct {
	payloadType uint8
	marker      bool
	sequence    uint16
	timestamp   uint32
	ssrc        uint32
	payload     []byte
}

// parsePacket reads an RTP packet (RFC 3550 section 5.1). Contributing sources, extensions and padding are passed over.
func parsePacket(b []byte) (packet, bool) {
	if len(b) < headerSize || b[0]&0xC0 != version2 {
		return packet{}, false
	}
	p := packet{
		payloadType: b[1] &^ markerBit,
		marker:      b[1]&markerBit != 0,
		sequence:    binary.BigEndian.Uint16(b[2:]),
		timestamp:   binary.BigEndian.Uint32(b[4:]),
		ssrc:        binary.BigEndian.Uint32(b[8:]),
	}
	start := headerSize + 4*int(b[0]&0x0F)
	if b[0]&0x10 != 0 { // header extension (section 5.3.1)
		if len(b) < start+4 {
			return packet{}, false
		}
		start += 4 + 4*int(binary.BigEndian.Uint16(b[start+2:]))
	}
	end := len(b)
	if b[0]&0x20 != 0 { // the last byte counts the padding, itself included
		end -= int(b[end-1])
		if b[len(b)-1] == 0 {
			return packet{}, false
		}
	}
	if start > end {
		return packet{}, false
	}
	p.payload = b[start:end]
	return p, true
}

// putHeader writes an RTP header into the first headerSize bytes of b.
func putHeader(b []byte, p *packet) {
	b[0] = version2
	b[1] = p.payloadType
	if p.marker {
		b[1] |= markerBit
	}
	binary.BigEndian.PutUint16(b[2:], p.sequence)
	binary.BigEndian.PutUint32(b[4:], p.timestamp)
	binary.BigEndian.PutUint32(b[8:], p.ssrc)
}

// isRTCP tells RTCP from RTP on a shared port: packet types 192 to 223 (RFC 5761 section 4).
func isRTCP(b []byte) bool {
	return len(b) >= 2 && b[0]&0xC0 == version2 && b[1] >= 192 && b[1] <= 223
}
