// Serves a folder with the Go library github.com/pin/tftp, which comes without a program.
//
// Run by scripts/bench and the conformance matrix as a foreign server until a signal ends it;
// takes uploads too.
//
//	pin_server ADDRESS:PORT ROOT      pin_server --version
//
// The library does not know its version; whoever builds this puts it into PIN_VERSION.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/pin/tftp"
)

func main() {
	if os.Args[1] == "--version" {
		fmt.Println(os.Getenv("PIN_VERSION"))
		return
	}
	address, root := os.Args[1], os.Args[2]
	send := func(name string, to io.ReaderFrom) error {
		file, err := os.Open(filepath.Join(root, filepath.Clean("/"+name)))
		if err != nil {
			return err
		}
		defer file.Close()
		if about, err := file.Stat(); err == nil {
			to.(tftp.OutgoingTransfer).SetSize(about.Size())
		}
		_, err = to.ReadFrom(file)
		return err
	}
	store := func(name string, from io.WriterTo) error {
		file, err := os.Create(filepath.Join(root, filepath.Clean("/"+name)))
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = from.WriteTo(file)
		return err
	}
	log.Fatal(tftp.NewServer(send, store).ListenAndServe(address))
}
