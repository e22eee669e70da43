package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"talkstack"
	"talkstack/client"
)

type callCommand struct {
	Number    string              `arg:"" help:"Number to call, in E.164 form: +15005550001."`
	Server    string              `envar:"TALKSTACK_SERVER" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Address of the server."`
	Key       talkstack.Secret    `envar:"TALKSTACK_API_KEY" placeholder:"KEY" help:"API key; in development mode the server prints it at its start."`
	Project   talkstack.ProjectID `placeholder:"ID" help:"Project the call belongs to. Not needed when the account has one project."`
	Agent     talkstack.AgentID   `placeholder:"ID" help:"Agent that speaks. Default: the project's active agent."`
	Variables map[string]string   `name:"var" short:"v" placeholder:"NAME=VALUE" help:"Value of a {{name}} in the agent's prompt; may be given several times." mapsep:"none"`
}

// Run places the call, prints each status as it comes, and the transcript at the end.
func (cmd *callCommand) Run(ctx context.Context, c *console) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	if cmd.Key == "" {
		return errors.New("an API key is needed: set TALKSTACK_API_KEY or give --key; in development mode the server prints one at its start")
	}
	api, err := client.New(cmd.Server, cmd.Key)
	if err != nil {
		return err
	}
	req := client.MakeCallRequest{Number: cmd.Number, ProjectID: cmd.Project, AgentID: cmd.Agent}
	if req.ProjectID == "" {
		if req.ProjectID, err = onlyProject(ctx, api); err != nil {
			return err
		}
	}
	if len(cmd.Variables) > 0 {
		req.DynamicVariables = map[string]any{}
		for name, value := range cmd.Variables {
			req.DynamicVariables[name] = value
		}
	}
	made, err := api.MakeCall(ctx, req)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "call %s\n", made.CallID)
	call, err := api.V1().Watch(ctx, made.CallID, func(seen client.V1Call) { fmt.Fprintf(c.out, "%s\n", seen.Status) })
	if err != nil {
		return fmt.Errorf("following call %s: %w", made.CallID, err)
	}
	turns, err := api.V1().GetTranscript(ctx, made.CallID)
	if err != nil {
		return err
	}
	printCall(c.out, call, turns)
	return nil
}

// onlyProject is the account's project when it has exactly one.
func onlyProject(ctx context.Context, api *client.Client) (talkstack.ProjectID, error) {
	projects, err := api.ListProjects(ctx)
	switch {
	case err != nil:
		return "", err
	case len(projects) == 0:
		return "", errors.New("the account has no project: create one with POST /project/create-project")
	case len(projects) > 1:
		list := ""
		for _, p := range projects {
			list += fmt.Sprintf("\n  %s  %s", p.ID, p.Name)
		}
		return "", errors.New("the account has several projects; name one with --project:" + list)
	}
	return projects[0].ID, nil
}

func printCall(w io.Writer, call client.V1Call, turns []client.Turn) {
	if call.EndReason != nil {
		fmt.Fprintf(w, "ended by %s: %s. %s\n", call.EndReason.Party, call.EndReason.Code, call.EndReason.Message)
	}
	for _, t := range turns {
		cut := ""
		if t.Interrupted {
			cut = " (interrupted)"
		}
		fmt.Fprintf(w, "%7.2f s  %-5s  %s%s\n", t.Start.Duration().Seconds(), t.Role, t.Text, cut)
	}
	if call.Latency.P50 != nil && call.Latency.P95 != nil {
		fmt.Fprintf(w, "answers after %d ms (p50), %d ms (p95), %d turns measured\n", *call.Latency.P50, *call.Latency.P95, call.Latency.Turns)
	}
	if call.Recording != "" {
		fmt.Fprintf(w, "recording %s\n", call.Recording)
	}
}
