//! A connection to systemd over D-Bus: method calls out, replies and signals in.
//!
//! Everything that need not wait for an answer goes out in one write(2): the authentication, the greeting, and the first
//! calls. Not so to systemd itself, which may read of the calls that come with the authentication, and then wait for more
//! before it looks at them. No signals pile up on a connection over a bus: it is sent those of one unit's jobs alone.

use super::dial::dial;
use super::reader::{Reader, malformed};
use super::value::{Value, Writer};
use crate::error::{Context, Error, Result};
use crate::sys::process;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest message that the specification allows.
const LONGEST: usize = 128 << 20;

const CALL: u8 = 1;
const REPLY: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;
const NO_REPLY_EXPECTED: u8 = 1;

const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// Who we are, the socket tells; in a user namespace, we may not know.
const AUTHENTICATION: &[u8] = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";

const SYSTEMD: &str = "org.freedesktop.systemd1";
const BUS: &str = "org.freedesktop.DBus";

/// The bus itself, and the object of systemd that units are made with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Bus,
    Manager,
}

/// A connection.
pub struct Bus {
    stream: UnixStream,
    /// Calls that are yet to be sent.
    out: Vec<u8>,
    /// What has been read and not been looked at.
    input: Vec<u8>,
    serial: u32,
    /// There is a bus between systemd and us.
    routed: bool,
    /// The answer to the authentication has been read.
    authenticated: bool,
}

/// An error that systemd or the bus answered with.
pub struct Refusal {
    /// Such as `org.freedesktop.systemd1.NoSuchUnit`; empty when there was no answer.
    pub name: String,
    /// In words.
    pub text: Error,
}

impl From<Error> for Refusal {
    fn from(text: Error) -> Refusal {
        Refusal {
            name: String::new(),
            text,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        refusal.text
    }
}

struct Message {
    kind: u8,
    reply_serial: u32,
    member: String,
    error_name: String,
    body: Vec<u8>,
}

impl Bus {
    /// Connects to the systemd of the system, or to that of the user.
    pub fn connect(user: bool) -> Result<Bus> {
        let (stream, routed) = dial(user).map_err(|error| {
            error.wrap(
                "failed to connect to dbus (hint: for rootless containers, maybe you need to install dbus-user-session package)",
            )
        })?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Bus::greet(stream, routed)
    }

    fn greet(stream: UnixStream, routed: bool) -> Result<Bus> {
        let mut bus = Bus {
            stream,
            out: AUTHENTICATION.to_vec(),
            input: Vec::new(),
            serial: 0,
            routed,
            authenticated: false,
        };
        if routed {
            bus.queue(To::Bus, NO_REPLY_EXPECTED, "Hello", "", &|_| {});
        } else {
            bus.send()?;
            bus.authenticate()?;
        }
        Ok(bus)
    }

    /// Whether there is a bus between systemd and us.
    pub fn is_routed(&self) -> bool {
        self.routed
    }

    /// Whether the other end has not closed it.
    pub fn is_open(&self) -> bool {
        let events = process::poll_for(&[(Some(self.stream.as_fd()), 0)], 0);
        events.is_ok_and(|events| events[0] == 0)
    }

    /// Has the signals that tell of the end of a unit's jobs sent to us. Systemd sends those of a job to who has asked for
    /// it, even without a `Subscribe`.
    pub fn watch_jobs(&mut self, unit: &str) {
        if self.routed {
            let rule = String::from(
                "type='signal',sender='org.freedesktop.systemd1',member='JobRemoved',arg2='",
            ) + unit
                + "'";
            self.queue(To::Bus, NO_REPLY_EXPECTED, "AddMatch", "s", &|writer| {
                writer.text(&rule);
            });
        }
    }

    /// Calls a method of the manager; returns the reply's body.
    pub fn call(
        &mut self,
        method: &str,
        signature: &str,
        body: &dyn Fn(&mut Writer),
    ) -> Result<Vec<u8>, Refusal> {
        let serial = self.queue(To::Manager, 0, method, signature, body);
        loop {
            let message = self.next()?;
            // The greeting and the match have no reply unless they fail.
            match message.kind {
                REPLY if message.reply_serial == serial => return Ok(message.body),
                ERROR => {
                    let text = Reader::new(&message.body).text().unwrap_or_default();
                    return Err(Refusal {
                        text: Error::new(if text.is_empty() {
                            message.error_name.clone()
                        } else {
                            text
                        }),
                        name: message.error_name,
                    });
                }
                _ => {}
            }
        }
    }

    /// Calls a method that starts a job, and waits for the job's end: its result, such as `done`.
    pub fn run_job(
        &mut self,
        method: &str,
        signature: &str,
        body: &dyn Fn(&mut Writer),
    ) -> Result<String, Refusal> {
        let reply = self.call(method, signature, body)?;
        let job = Reader::new(&reply).text()?;
        loop {
            let message = self.next()?;
            if message.kind != SIGNAL || message.member != "JobRemoved" {
                continue;
            }
            let mut reader = Reader::new(&message.body);
            reader.u32()?;
            if reader.text()? == job {
                reader.text()?;
                return Ok(reader.text()?);
            }
        }
    }

    #[inline(never)]
    fn queue(
        &mut self,
        to: To,
        flags: u8,
        method: &str,
        signature: &str,
        body: &dyn Fn(&mut Writer),
    ) -> u32 {
        self.serial += 1;
        let mut writer = Writer::default();
        body(&mut writer);
        let body = writer.bytes;
        let (path, interface, name) = match to {
            To::Bus => ("/org/freedesktop/DBus", BUS, BUS),
            To::Manager => (
                "/org/freedesktop/systemd1",
                "org.freedesktop.systemd1.Manager",
                SYSTEMD,
            ),
        };
        let mut writer = Writer::default();
        writer.bytes.extend([b'l', CALL, flags, 1]);
        writer.u32(body.len() as u32);
        writer.u32(self.serial);
        writer.array(8, |writer| {
            let mut field = |code: u8, value: Value| {
                writer.align(8);
                writer.bytes.push(code);
                writer.variant(&value);
            };
            field(PATH, Value::Text(b'o', path.into()));
            field(INTERFACE, Value::text(interface));
            field(MEMBER, Value::text(method));
            if self.routed {
                field(DESTINATION, Value::text(name));
            }
            if !signature.is_empty() {
                field(SIGNATURE, Value::Text(b'g', signature.into()));
            }
        });
        writer.align(8);
        self.out.extend(writer.bytes);
        self.out.extend(body);
        self.serial
    }

    /// Sends what is to be sent.
    pub fn send(&mut self) -> Result<()> {
        self.stream.write_all(&self.out).context("write to dbus")?;
        self.out.clear();
        Ok(())
    }

    /// Sends what is to be sent, and returns the next message.
    fn next(&mut self) -> Result<Message> {
        self.send()?;
        if !self.authenticated {
            self.authenticate()?;
        }
        // The fixed part of a header, then the length of its fields.
        self.fill(16)?;
        let (order, kind) = (self.input[0], self.input[1]);
        if order != b'l' {
            return Err(Error::new(
                "dbus: a message in the byte order of another machine",
            ));
        }
        let body = Reader::from(&self.input, 4).u32()? as usize;
        let fields = Reader::from(&self.input, 12).u32()? as usize;
        let start = 16usize.saturating_add(fields).next_multiple_of(8);
        if body > LONGEST || fields > LONGEST {
            return Err(Error::new("dbus: a message that is too long"));
        }
        self.fill(start + body)?;
        let mut message = Message {
            kind,
            reply_serial: 0,
            member: String::new(),
            error_name: String::new(),
            body: Vec::new(),
        };
        let mut reader = Reader::from(&self.input[..16 + fields], 16);
        while !reader.ends(8) {
            let code = reader.byte()?;
            let signature = reader.signature()?;
            match (code, signature.as_str()) {
                (_, "u") => {
                    let number = reader.u32()?;
                    if code == REPLY_SERIAL {
                        message.reply_serial = number;
                    }
                }
                (_, "s" | "o") => {
                    let text = reader.text()?;
                    match code {
                        MEMBER => message.member = text,
                        ERROR_NAME => message.error_name = text,
                        _ => {}
                    }
                }
                (_, "g") => drop(reader.signature()?),
                _ => return Err(malformed()),
            }
        }
        message.body = self.input[start..start + body].to_vec();
        self.input.drain(..start + body);
        Ok(message)
    }

    /// Reads the answers to the authentication: `DATA`, `OK`.
    fn authenticate(&mut self) -> Result<()> {
        loop {
            let end = loop {
                if let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                    break end;
                }
                self.fill(self.input.len() + 1)?;
            };
            let line: Vec<u8> = self.input.drain(..end + 2).collect();
            if line.starts_with(b"OK") {
                self.authenticated = true;
                return Ok(());
            }
            if !line.starts_with(b"DATA") {
                return Err(Error::new(format!(
                    "error while authenticating the connection to dbus as uid {}: {}",
                    process::euid(),
                    String::from_utf8_lossy(&line).trim()
                )));
            }
        }
    }

    /// Reads until this much is there.
    fn fill(&mut self, length: usize) -> Result<()> {
        let mut buffer = [0; 4096];
        while self.input.len() < length {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Error::new("dbus has closed the connection")),
                Ok(count) => self.input.extend(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(Error::new("systemd has not answered within 30 s"));
                }
                Err(error) => return Err(error).context("read from dbus"),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection whose other end is the test.
    fn pair() -> (Bus, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Bus::greet(ours, true).unwrap(), theirs)
    }

    fn message(kind: u8, field: (u8, Value), body: &Writer) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes.extend([b'l', kind, 0, 1]);
        writer.u32(body.bytes.len() as u32);
        writer.u32(1);
        writer.array(8, |writer| {
            writer.bytes.push(field.0);
            writer.variant(&field.1);
        });
        writer.align(8);
        writer.bytes.extend(&body.bytes);
        writer.bytes
    }

    fn text(text: &str) -> Writer {
        let mut writer = Writer::default();
        writer.text(text);
        writer
    }

    fn removed(job: &str, result: &str) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u32(7);
        [job, "x.scope", result]
            .iter()
            .for_each(|it| writer.text(it));
        message(SIGNAL, (MEMBER, Value::text("JobRemoved")), &writer)
    }

    #[test]
    fn a_job_is_awaited() {
        let (mut bus, mut systemd) = pair();
        let mut said = b"DATA\r\nOK 1234\r\n".to_vec();
        said.extend(message(
            REPLY,
            (REPLY_SERIAL, Value::Number(b'u', 2)),
            &text("/job/2"),
        ));
        said.extend(removed("/job/1", "canceled"));
        said.extend(removed("/job/2", "done"));
        systemd.write_all(&said).unwrap();
        let result = bus.run_job("StopUnit", "ss", &|writer| {
            writer.text("x.scope");
            writer.text("replace");
        });
        assert_eq!(result.unwrap_or_default(), "done");
        let mut heard = [0; 512];
        let count = systemd.read(&mut heard).unwrap();
        let heard = String::from_utf8_lossy(&heard[..count]).into_owned();
        assert!(heard.starts_with("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\nl"));
        assert!(heard.contains("Hello") && heard.contains("x.scope"));
    }

    #[test]
    fn systemd_itself_is_called_once_it_has_answered() {
        let (ours, mut systemd) = UnixStream::pair().unwrap();
        systemd.write_all(b"DATA\r\nOK 1234\r\n").unwrap();
        let bus = Bus::greet(ours, false).unwrap();
        assert!(bus.out.is_empty());
        let mut heard = [0; 512];
        let count = systemd.read(&mut heard).unwrap();
        assert_eq!(&heard[..count], AUTHENTICATION);
    }

    #[test]
    fn the_end_of_a_bus_is_seen() {
        let (bus, mut systemd) = pair();
        systemd.write_all(b"DATA\r\n").unwrap();
        assert!(bus.is_open());
        drop(systemd);
        assert!(!bus.is_open());
    }

    #[test]
    fn refusals_and_garbage() {
        let (mut bus, mut systemd) = pair();
        let mut said = b"OK 1234\r\n".to_vec();
        let name = "org.freedesktop.systemd1.NoSuchUnit";
        said.extend(message(
            ERROR,
            (ERROR_NAME, Value::text(name)),
            &text("No such unit"),
        ));
        said.extend([
            b'l', 2, 0, 1, 255, 255, 255, 255, 1, 0, 0, 0, 255, 255, 255, 255,
        ]);
        systemd.write_all(&said).unwrap();
        let refusal = bus.call("StopUnit", "", &|_| {}).unwrap_err();
        assert_eq!(refusal.name, name);
        assert_eq!(refusal.text.to_string(), "No such unit");
        let refusal = bus.call("StopUnit", "", &|_| {}).unwrap_err();
        assert!(refusal.text.to_string().contains("too long"));
        let (mut bus, mut systemd) = pair();
        systemd.write_all(b"REJECTED EXTERNAL\r\n").unwrap();
        let refusal = bus.call("StopUnit", "", &|_| {}).unwrap_err();
        assert!(refusal.text.to_string().ends_with("REJECTED EXTERNAL"));
    }
}
