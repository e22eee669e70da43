package doctor

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"time"

	"talkstack"
)

// carrierPatience is how long a carrier may take to answer.
const carrierPatience = 3 * time.Second

func (e *examination) carrier(ctx context.Context) Finding {
	trunk, err := e.cfg.Trunk()
	switch {
	case err != nil:
		return notReady("set TALKSTACK_SIP_TRUNK right", "%s", talkstack.ErrorMessage(err))
	case trunk == nil && e.cfg.Dev:
		return ready("none: calls go to the test phone")
	case trunk == nil:
		return notReady("set TALKSTACK_SIP_TRUNK, or use --dev for the test phone", "none: outbound calls have nowhere to go")
	}
	answer, err := ping(ctx, trunk)
	if err != nil {
		return limited("check TALKSTACK_SIP_TRUNK, the firewall, and that the carrier knows this machine's address; some carriers never answer such a question",
			"%s did not answer a SIP OPTIONS request: %v", trunk.Addr(), err)
	}
	return ready("%s answers: %s", trunk.Addr(), answer)
}

// ping sends an OPTIONS request (RFC 3261 section 11) and returns the status line's code and reason. Any answer shows
// that a SIP server is there: many refuse the request itself.
func ping(ctx context.Context, trunk *talkstack.Trunk) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, carrierPatience)
	defer cancel()
	network := string(trunk.Transport)
	conn, err := (&net.Dialer{}).DialContext(ctx, network, trunk.Addr())
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	if _, err := conn.Write([]byte(options(trunk, conn.LocalAddr().String()))); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return "", err
	}
	status, ok := strings.CutPrefix(strings.TrimSpace(line), "SIP/2.0 ")
	if !ok {
		return "", fmt.Errorf("it does not speak SIP")
	}
	return status, nil
}

func options(trunk *talkstack.Trunk, local string) string {
	target := "sip:" + trunk.Addr()
	transport := strings.ToUpper(string(trunk.Transport))
	return strings.Join([]string{
		"OPTIONS " + target + " SIP/2.0",
		"Via: SIP/2.0/" + transport + " " + local + ";rport;branch=z9hG4bK" + rand.Text(),
		"Max-Forwards: 70",
		"From: <sip:doctor@" + local + ">;tag=" + rand.Text(),
		"To: <" + target + ">",
		"Call-ID: " + rand.Text(),
		"CSeq: 1 OPTIONS",
		"Contact: <sip:doctor@" + local + ">",
		"Accept: application/sdp",
		"Content-Length: 0",
		"", "",
	}, "\r\n")
}
