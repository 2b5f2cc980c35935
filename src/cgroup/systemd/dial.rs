//! Where systemd or its bus listens, and where it has its files.

use crate::error::{Context, Error, Result};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::PathBuf;

const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";
/// Where systemd itself listens, to root and to its own user: without a bus in between.
const SYSTEM_PRIVATE: &str = "/run/systemd/private";
const SYSTEM_TRANSIENT: &str = "/run/systemd/transient";

/// A stream to systemd, and whether there is a bus in between.
pub fn dial(user: bool) -> Result<(UnixStream, bool)> {
    let variable = match user {
        true => "DBUS_SESSION_BUS_ADDRESS",
        false => "DBUS_SYSTEM_BUS_ADDRESS",
    };
    let address = std::env::var(variable).unwrap_or_default();
    if !address.is_empty() {
        let stream = dial_address(&address).map_err(|error| error.wrap(variable))?;
        return Ok((stream, true));
    }
    let (bus, private) = match user {
        true => {
            let Some(runtime) = runtime_directory() else {
                return Err(Error::new(
                    "could not detect DBUS_SESSION_BUS_ADDRESS from the environment, nor is there XDG_RUNTIME_DIR",
                ));
            };
            (runtime.join("bus"), runtime.join("systemd/private"))
        }
        false => (SYSTEM_BUS.into(), SYSTEM_PRIVATE.into()),
    };
    match UnixStream::connect(&bus) {
        Ok(stream) => Ok((stream, true)),
        Err(error) => match UnixStream::connect(private) {
            Ok(stream) => Ok((stream, false)),
            Err(_) => Err(error).with_context(|| format!("dial unix {}", bus.display())),
        },
    }
}

fn runtime_directory() -> Option<PathBuf> {
    let path = std::env::var_os("XDG_RUNTIME_DIR")?;
    (!path.is_empty()).then(|| path.into())
}

/// Where the files of transient units are.
pub fn transient(user: bool) -> Option<PathBuf> {
    match user {
        true => Some(runtime_directory()?.join("systemd/transient")),
        false => Some(SYSTEM_TRANSIENT.into()),
    }
}

/// Connects to the first address of a list that can be: "Server addresses" of the specification.
fn dial_address(addresses: &str) -> Result<UnixStream> {
    let mut last = Error::new(format!(
        "{addresses:?}: no address that begins with unix:path= or unix:abstract="
    ));
    for address in addresses.split(';') {
        let fields = address.strip_prefix("unix:").unwrap_or_default();
        for field in fields.split(',') {
            let connected = match field.split_once('=') {
                Some(("path", path)) => UnixStream::connect(unescape(path)),
                Some(("abstract", name)) => SocketAddr::from_abstract_name(unescape(name))
                    .and_then(|name| UnixStream::connect_addr(&name)),
                _ => continue,
            };
            match connected {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Error::from(error).wrap(format_args!("dial {address}")),
            }
        }
    }
    Err(last)
}

/// `%2f` is `/`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match hex.map(|hex| u8::from_str_radix(hex, 16)) {
            Some(Ok(byte)) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(unescape("/run/user/1000%2fbus"), "/run/user/1000/bus");
        assert_eq!(unescape("100%"), "100%");
        let error = dial_address("tcp:host=localhost").unwrap_err().to_string();
        assert!(error.contains("unix:path="), "{error}");
        let error = dial_address("unix:path=/no/such/bus,guid=0").unwrap_err();
        assert!(error.to_string().ends_with("no such file or directory"));
    }
}
