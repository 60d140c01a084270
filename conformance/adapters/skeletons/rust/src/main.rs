//! An adapter that lets Plumbline judge @NAME@.
//!
//! It reads a command per line on stdin and answers each with a line on
//! stdout; stderr is a free log. The protocol:
//! conformance/schema/protocol.schema.json; the operations:
//! conformance/spec/vocabulary.md.

use serde_json::{json, Value};
use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

fn hello() -> Value {
    // A capability promises its operations; a program that needs one you have
    // not promised is not sent. Traits are legitimate variants.
    json!({
        "protocol": 1,
        "implementation": {"name": "@NAME@", "version": "0.1.0",
                           "language": "Rust", "homepage": ""},
        "capabilities": ["loop.timeout"],
        "traits": [],
    })
}

// ---------------------------------------------------------------------------
// The implementation under test. Put yours in its place.

/// A loop with timers alone; what is called is told by a number.
#[derive(Default)]
struct Loop {
    timers: Vec<Timer>, // those that wait
    made: usize,
}

struct Timer {
    handle: usize,
    due: Instant,
    order: usize,
}

impl Loop {
    /// Like setTimeout: `next` will give the handle when it is due.
    fn start(&mut self, handle: usize, delay: u64) {
        self.made += 1;
        let due = Instant::now() + Duration::from_millis(delay);
        self.timers.push(Timer { handle, due, order: self.made });
    }

    fn clear(&mut self, handle: usize) {
        self.timers.retain(|timer| timer.handle != handle);
    }

    /// Waits for the next timer; None when nothing is left.
    fn next(&mut self) -> Option<usize> {
        let (index, _) = self
            .timers
            .iter()
            .enumerate()
            .min_by_key(|(_, timer)| (timer.due, timer.order))?;
        let timer = self.timers.remove(index);
        std::thread::sleep(timer.due.saturating_duration_since(Instant::now()));
        Some(timer.handle)
    }
}

// ---------------------------------------------------------------------------

/// The delay that Node makes of a value: whole, from 1 to 2^31 - 1.
fn milliseconds(value: Option<&Value>) -> u64 {
    match value.and_then(Value::as_f64) {
        Some(number) if (1.0..=2147483647.0).contains(&number) => number as u64,
        _ => 1,
    }
}

/// A callback of the program: its bodies, and how often it was called.
struct Callback {
    bodies: Vec<Vec<Value>>,
    every: Option<u64>,
    calls: usize,
    cleared: bool,
}

struct Program {
    the_loop: Loop,
    callbacks: Vec<Callback>,
    objects: HashMap<String, usize>,
    begun: Instant,
    count: usize,
    seq: Value,
    events: Option<Vec<Value>>, // None: streamed
}

fn list(value: Option<&Value>) -> Vec<Value> {
    value.and_then(Value::as_array).cloned().unwrap_or_default()
}

/// The name and the value of an operation.
fn parts(operation: &Value) -> (&String, &Value) {
    operation.as_object().and_then(|o| o.iter().next()).expect("one key")
}

/// Nothing may run before everything in it is known: what is not.
fn unknown(body: &[Value]) -> Option<String> {
    for operation in body {
        let (name, value) = parts(operation);
        if !["log", "block", "timeout", "interval", "clear"].contains(&&name[..]) {
            return Some(format!("the operation {name}"));
        }
        if let Some(logged) = value.get(1).and_then(Value::as_str) {
            if logged.starts_with('$') && !["$count", "$elapsed"].contains(&logged) {
                return Some(format!("the value {logged}"));
            }
        }
        let mut bodies = vec![list(value.get("then"))];
        bodies.extend(list(value.get("each")).iter().map(|b| list(Some(b))));
        for inner in &bodies {
            if let Some(why) = unknown(inner) {
                return Some(why);
            }
        }
    }
    None
}

impl Program {
    fn record(&mut self, event: Value) {
        match &mut self.events {
            Some(events) => events.push(event),
            None => answer(&json!({"seq": self.seq, "event": event})),
        }
    }

    fn perform(&mut self, body: &[Value]) {
        for operation in body {
            let (name, value) = parts(operation);
            match &name[..] {
                "log" => self.log(value),
                "block" => {
                    let wait = Duration::from_millis(value.as_u64().unwrap_or(0));
                    let end = Instant::now() + wait;
                    while Instant::now() < end {}
                }
                "timeout" => self.timeout(value, None),
                "interval" => {
                    let every = milliseconds(value.get("every"));
                    self.timeout(value, Some(every));
                }
                "clear" => {
                    if let Some(&handle) = value.as_str().and_then(|id| self.objects.get(id)) {
                        self.callbacks[handle].cleared = true;
                        self.the_loop.clear(handle);
                    }
                }
                _ => unreachable!("checked before"),
            }
        }
    }

    fn log(&mut self, value: &Value) {
        let mut event = value.clone();
        let logged = value.get(1).and_then(Value::as_str);
        if logged == Some("$count") {
            event[1] = json!(self.count);
        } else if logged == Some("$elapsed") {
            event[1] = json!(self.begun.elapsed().as_millis() as u64);
        }
        self.record(event);
    }

    fn timeout(&mut self, value: &Value, every: Option<u64>) {
        let each = list(value.get("each"));
        let bodies = if each.is_empty() {
            vec![list(value.get("then"))]
        } else {
            each.iter().map(|body| list(Some(body))).collect()
        };
        let handle = self.callbacks.len();
        self.callbacks.push(Callback { bodies, every, calls: 0, cleared: false });
        if let Some(id) = value.get("id").and_then(Value::as_str) {
            self.objects.insert(id.to_string(), handle);
        }
        let delay = every.unwrap_or_else(|| milliseconds(value.get("after")));
        self.the_loop.start(handle, delay);
    }

    fn run(&mut self) {
        while let Some(handle) = self.the_loop.next() {
            let callback = &mut self.callbacks[handle];
            callback.calls += 1;
            self.count = callback.calls;
            // The last body serves every further call.
            let index = callback.calls.min(callback.bodies.len()) - 1;
            let body = callback.bodies[index].clone();
            self.perform(&body);
            let callback = &self.callbacks[handle];
            if let (Some(every), false) = (callback.every, callback.cleared) {
                self.the_loop.start(handle, every);
            }
        }
    }
}

/// One line, at once: in a streamed run nothing may be lost at the end.
fn answer(message: &Value) {
    let mut out = io::stdout().lock();
    writeln!(out, "{message}").and_then(|()| out.flush()).expect("stdout");
}

/// Answers a run; true where the process must end with it.
fn run(command: &Value) -> bool {
    let streamed = command["stream"] == json!(true);
    let seq = command["seq"].clone();
    let main = list(command["program"].get("main"));
    let other = command["program"]
        .as_object()
        .and_then(|p| p.keys().find(|key| !["main", "pool"].contains(&&key[..])));
    if let Some(why) = other.cloned().or_else(|| unknown(&main)) {
        answer(&json!({"seq": seq, "unsupported": why}));
        return streamed;
    }
    let mut program = Program {
        the_loop: Loop::default(),
        callbacks: Vec::new(),
        objects: HashMap::new(),
        begun: Instant::now(),
        count: 0,
        seq,
        events: if streamed { None } else { Some(Vec::new()) },
    };
    program.perform(&main);
    program.run();
    if let Some(events) = &program.events {
        answer(&json!({"seq": program.seq, "events": events}));
    }
    streamed
}

fn main() {
    for line in io::stdin().lock().lines() {
        let command: Value = match serde_json::from_str(&line.expect("stdin")) {
            Ok(command) => command,
            Err(error) => panic!("no command: {error}"),
        };
        match command["cmd"].as_str() {
            Some("start") => answer(&hello()),
            Some("run") => {
                if run(&command) {
                    return;
                }
            }
            Some("stop") => return,
            _ => answer(&json!({"seq": command["seq"],
                                "unsupported": "this command"})),
        }
    }
}
