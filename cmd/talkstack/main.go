// Command talkstack is the whole product in one program: the server, and the tools that an operator needs beside it.
// This package owns the command line alone; what the commands do is in the packages they call.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // calling windows need time zones, also on machines and in images that have none

	"github.com/alecthomas/kong"

	"talkstack/internal/config"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitBadUsage = 2
)

// commands is the command line.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the server."`
	Migrate migrateCommand `cmd:"" help:"Bring the database to this version's schema and stop."`
	Doctor  doctorCommand  `cmd:"" help:"Say for each part whether it is ready, and what to do if not."`
	Models  modelsCommand  `cmd:"" help:"Install, list or check the speech models."`
	Call    callCommand    `cmd:"" help:"Place a call through a running server and follow it to its end."`
	Phone   phoneCommand   `cmd:"" help:"A telephone at the command line, to try a server without a softphone."`
	Config  configCommand  `cmd:"" help:"Describe the settings."`
	Version versionCommand `cmd:"" help:"Say which version this is."`
}

// console is what a command may touch outside of its arguments.
type console struct {
	out, err io.Writer
	lookup   func(string) (string, bool) // environment variables
}

func main() {
	c := &console{out: os.Stdout, err: os.Stderr, lookup: os.LookupEnv}
	os.Exit(run(context.Background(), os.Args[1:], c))
}

// run parses the arguments, does what they say and returns the exit code.
func run(ctx context.Context, args []string, c *console) int {
	exit := -1
	parser, err := kong.New(&commands{}, append(config.Options(c.lookup),
		kong.Name("talkstack"),
		kong.Description("AI phone agents of your own: answers the Talkstack API, takes and places telephone calls, and holds the conversation."),
		kong.Writers(c.out, c.err),
		kong.Exit(func(code int) { exit = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(c),
	)...)
	if err != nil { // the grammar itself is wrong: a test parses it
		fmt.Fprintln(c.err, "talkstack:", err)
		return exitFailed
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help has printed and asked to leave
		return exit
	}
	if err != nil {
		fmt.Fprintln(c.err, "talkstack:", err)
		if _, bad := errors.AsType[config.SettingErrors](err); !bad {
			fmt.Fprintln(c.err, "Run `talkstack --help` for the commands, `talkstack config describe` for the settings.")
		}
		return exitBadUsage
	}
	if err := parsed.Run(); err != nil {
		if !errors.Is(err, errTold) {
			fmt.Fprintln(c.err, "talkstack:", err)
		}
		return exitFailed
	}
	return exitOK
}

// errTold ends a command that has already said what is wrong.
var errTold = errors.New("told")
