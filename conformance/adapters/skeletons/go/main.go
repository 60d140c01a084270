// An adapter that lets Plumbline judge @NAME@.
//
// It reads a command per line on stdin and answers each with a line on stdout;
// stderr is a free log. The protocol: conformance/schema/protocol.schema.json;
// the operations: conformance/spec/vocabulary.md.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
	"time"
)

// A capability promises its operations; a program that needs one you have not
// promised is not sent. Traits are legitimate variants: see vocabulary.md.
var hello = map[string]any{
	"protocol": 1,
	"implementation": map[string]any{"name": "@NAME@", "version": "0.1.0",
		"language": "Go", "homepage": ""},
	"capabilities": []string{"loop.timeout"},
	"traits":       []string{},
}

// ----------------------------------------------------------------------------
// The implementation under test. Put yours in its place.

// Loop is a loop with timers alone.
type Loop struct {
	timers []*Timer
}

// Timer is a handle of the loop; every < 0 means once.
type Timer struct {
	callback func()
	due      time.Time
	every    time.Duration
	cleared  bool
}

func (loop *Loop) start(timer *Timer, delay time.Duration) {
	timer.due = time.Now().Add(delay)
	loop.timers = append(loop.timers, timer)
}

// SetTimeout is setTimeout and, with every from 0, setInterval.
func (loop *Loop) SetTimeout(callback func(), delay, every time.Duration) *Timer {
	timer := &Timer{callback: callback, every: every}
	loop.start(timer, delay)
	return timer
}

// Run returns when nothing is left.
func (loop *Loop) Run() {
	for len(loop.timers) > 0 {
		sort.SliceStable(loop.timers, func(a, b int) bool {
			return loop.timers[a].due.Before(loop.timers[b].due)
		})
		timer := loop.timers[0]
		loop.timers = loop.timers[1:]
		if timer.cleared {
			continue
		}
		time.Sleep(time.Until(timer.due))
		timer.callback()
		if timer.every >= 0 && !timer.cleared {
			loop.start(timer, timer.every)
		}
	}
}

// ----------------------------------------------------------------------------

// The delay that Node makes of a value: whole, from 1 to 2^31 - 1.
func milliseconds(value any) time.Duration {
	number, is := value.(float64)
	if !is || !(number >= 1 && number <= 2147483647) {
		number = 1
	}
	return time.Duration(int64(number)) * time.Millisecond
}

// Program checks a program, then runs it and collects its events.
type Program struct {
	loop    Loop
	record  func(event any)
	objects map[string]*Timer
	begun   time.Time
	count   int
}

func list(value any) []any {
	found, _ := value.([]any)
	return found
}

// The bodies of a callback: `then` for every call, or `each` in order.
func bodies(value any) [][]any {
	object, _ := value.(map[string]any)
	if each := list(object["each"]); len(each) > 0 {
		found := make([][]any, len(each))
		for n, body := range each {
			found[n] = list(body)
		}
		return found
	}
	return [][]any{list(object["then"])}
}

// Nothing may run before everything in it is known: what is not, or "".
func unknown(body []any) string {
	for _, operation := range body {
		for name, value := range operation.(map[string]any) {
			switch name {
			case "log", "block", "timeout", "interval", "clear":
			default:
				return "the operation " + name
			}
			if pair := list(value); len(pair) == 2 {
				logged, _ := pair[1].(string)
				if strings.HasPrefix(logged, "$") && logged != "$count" &&
					logged != "$elapsed" {
					return "the value " + logged
				}
			}
			for _, inner := range bodies(value) {
				if why := unknown(inner); why != "" {
					return why
				}
			}
		}
	}
	return ""
}

// The last body serves every further call.
func (program *Program) callback(value any) func() {
	all := bodies(value)
	calls := 0
	return func() {
		index := calls
		if index >= len(all) {
			index = len(all) - 1
		}
		calls++
		program.count = calls
		program.perform(all[index])
	}
}

func (program *Program) log(value any) {
	if pair := list(value); len(pair) == 2 {
		logged := pair[1]
		switch logged {
		case "$count":
			logged = program.count
		case "$elapsed":
			logged = time.Since(program.begun).Milliseconds()
		}
		value = []any{pair[0], logged}
	}
	program.record(value)
}

func (program *Program) timeout(value any, key string, repeats bool) {
	object := value.(map[string]any)
	delay, every := milliseconds(object[key]), time.Duration(-1)
	if repeats {
		every = delay
	}
	timer := program.loop.SetTimeout(program.callback(value), delay, every)
	if id, is := object["id"].(string); is {
		program.objects[id] = timer
	}
}

func (program *Program) perform(body []any) {
	for _, operation := range body {
		for name, value := range operation.(map[string]any) {
			switch name {
			case "log":
				program.log(value)
			case "block":
				wait := time.Duration(value.(float64)) * time.Millisecond
				for end := time.Now().Add(wait); time.Now().Before(end); {
				}
			case "timeout":
				program.timeout(value, "after", false)
			case "interval":
				program.timeout(value, "every", true)
			case "clear":
				program.objects[value.(string)].cleared = true
			}
		}
	}
}

// One line, at once: in a streamed run nothing may be lost at the end.
func answer(message any) {
	text, err := json.Marshal(message)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", text)
}

// Answers a run; true where the process must end with it.
func run(command map[string]any) bool {
	seq := command["seq"]
	streamed := command["stream"] == true
	asked := command["program"].(map[string]any)
	main := list(asked["main"])
	why := unknown(main)
	for key := range asked {
		if key != "main" && key != "pool" {
			why = key
		}
	}
	if why != "" {
		answer(map[string]any{"seq": seq, "unsupported": why})
		return streamed
	}
	events := []any{}
	program := Program{objects: map[string]*Timer{}, begun: time.Now()}
	program.record = func(event any) {
		if streamed {
			answer(map[string]any{"seq": seq, "event": event})
		} else {
			events = append(events, event)
		}
	}
	program.perform(main)
	program.loop.Run()
	if !streamed {
		answer(map[string]any{"seq": seq, "events": events})
	}
	return streamed
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var command map[string]any
		if err := json.Unmarshal(line, &command); err != nil {
			log.Fatal("no command: ", err)
		}
		switch command["cmd"] {
		case "start":
			answer(hello)
		case "run":
			if run(command) {
				return
			}
		case "stop":
			return
		default:
			answer(map[string]any{"seq": command["seq"],
				"unsupported": "this command"})
		}
	}
}
