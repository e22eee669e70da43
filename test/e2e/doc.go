// Package e2e tests the whole program over real SIP, RTP and HTTP on loopback: calls to the test phone's numbers,
// incoming calls, kills and restarts. It owns no code that ships.
package e2e
