// Checks what Postern says of its log with golang.org/x/mod/sumdb, which knows nothing of Postern.
//
// It reads one JSON object from standard input and prints one line for each check: its name, and "ok" or
// why it failed. GO111MODULE=off GOPATH=/usr/share/gocode go run verify.go
package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type input struct {
	Key         string   // verifier key
	Checkpoint  string   // signed note
	Entry       string   // canonical JSON of the entry that Inclusion is about
	Index       int64    // its index
	Inclusion   []string // base64 hashes
	OldSize     int64
	OldRoot     string
	Consistency []string
	Tiles       map[string]string // path below tile/8/ to base64 of the tile
}

func hash(text string) (h tlog.Hash) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(data) != tlog.HashSize {
		panic("not a hash: " + text)
	}
	copy(h[:], data)
	return h
}

func hashes(texts []string) (all []tlog.Hash) {
	for _, text := range texts {
		all = append(all, hash(text))
	}
	return all
}

// openCheckpoint verifies the signature and reads origin, size and root.
func openCheckpoint(in input) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(in.Key)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open([]byte(in.Checkpoint), note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("origin is not the key's name")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	return tlog.Tree{N: size, Hash: hash(lines[2])}, err
}

// tiles serves the tiles of the input; TileHashReader checks each against the tree.
type tiles map[string]string

func (t tiles) Height() int                    { return 8 }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(wanted []tlog.Tile) (all [][]byte, err error) {
	for _, tile := range wanted {
		text, ok := t[strings.TrimPrefix(tile.Path(), "tile/8/")]
		if !ok {
			return nil, errors.New("no tile " + tile.Path())
		}
		data, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func main() {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		panic(err)
	}
	tree, err := openCheckpoint(in)
	report("checkpoint", err)
	leaf := tlog.RecordHash([]byte(in.Entry))
	report("inclusion", tlog.CheckRecord(hashes(in.Inclusion), tree.N, tree.Hash, in.Index, leaf))
	report("consistency", tlog.CheckTree(hashes(in.Consistency), tree.N, tree.Hash, in.OldSize, hash(in.OldRoot)))
	report("tiles", checkTiles(in, tree, leaf))
}

// checkTiles builds a proof from tiles alone, and checks it.
func checkTiles(in input, tree tlog.Tree, leaf tlog.Hash) error {
	proof, err := tlog.ProveRecord(tree.N, in.Index, tlog.TileHashReader(tree, tiles(in.Tiles)))
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, in.Index, leaf)
}

func report(name string, err error) {
	if err == nil {
		fmt.Println(name, "ok")
	} else {
		fmt.Println(name, "failed:", strings.ReplaceAll(err.Error(), "\n", " "))
	}
}
