// Says hello to an address as crypto/tls does, for test/conformance/capture.ts. Given a second address, it visits that
// one first and resumes the session.
package main

import (
	"crypto/tls"
	"flag"
	"io"
	"strings"
	"time"
)

func main() {
	address := flag.String("address", "", "who is greeted")
	visit := flag.String("visit", "", "who gives a session first")
	name := flag.String("name", "", "server name")
	protocols := flag.String("alpn", "", "ALPN protocols")
	least := flag.Uint("min", tls.VersionTLS12, "least version")
	most := flag.Uint("max", tls.VersionTLS13, "highest version")
	classical := flag.Bool("classical", false, "only X25519 and P-256")
	flag.Parse()

	config := &tls.Config{
		ServerName:         *name,
		MinVersion:         uint16(*least),
		MaxVersion:         uint16(*most),
		InsecureSkipVerify: true,
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	if *protocols != "" {
		config.NextProtos = strings.Split(*protocols, ",")
	}
	if *classical {
		config.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	}
	if *visit != "" {
		greet(*visit, config)
	}
	greet(*address, config)
}

// The page is read to its end: tickets come before it does.
func greet(address string, config *tls.Config) {
	connection, err := tls.Dial("tcp", address, config)
	if err != nil {
		return
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = connection.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
	_, _ = io.Copy(io.Discard, connection)
}
