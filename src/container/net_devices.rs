//! `linux.netDevices`: devices of the host's network that move into the container's, with their addresses.

use crate::error::{Context, Result};
use crate::oci::NetDevice;
use crate::sys::{netlink, socket, spawn};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Kinds of messages, of flags and of attributes: rtnetlink(7).
const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const DUMP: u16 = 0x300;
const CREATE: u16 = 0x600; // NLM_F_CREATE | NLM_F_EXCL
const IFLA_IFNAME: u16 = 3;
const IFLA_NET_NS_FD: u16 = 28;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_F_PERMANENT: u8 = 0x80;
const RT_SCOPE_UNIVERSE: u8 = 0;
const IFF_UP: u32 = 1;
/// `struct nlmsghdr`, `struct ifinfomsg`, `struct ifaddrmsg`.
const HEADER: usize = 16;
const LINK: usize = 16;
const ADDRESS: usize = 8;

/// The devices, and the host's network: to be opened before any namespace is joined.
pub struct Devices<'a> {
    wanted: &'a BTreeMap<String, NetDevice>,
    host: Route,
}

impl<'a> Devices<'a> {
    /// None when no device is to be moved.
    pub fn open(wanted: &'a BTreeMap<String, NetDevice>) -> Result<Option<Devices<'a>>> {
        match wanted.is_empty() {
            true => Ok(None),
            false => Ok(Some(Devices {
                wanted,
                host: Route::open()?,
            })),
        }
    }

    /// Moves them into the network namespace of that path.
    pub fn move_to(&self, namespace: &Path) -> Result<()> {
        let open = |path: &Path| {
            File::open(path).with_context(|| format!("linux.netDevices: open {}", path.display()))
        };
        let target = open(namespace)?;
        let ours = open(Path::new("/proc/self/ns/net"))?;
        let join = |namespace: &File| {
            spawn::setns(namespace.as_fd(), libc::CLONE_NEWNET).context("linux.netDevices: setns")
        };
        join(&target)?;
        let inside = Route::open();
        join(&ours)?;
        let inside = inside?;
        for (name, device) in self.wanted {
            let new_name = device.name.as_deref().filter(|name| !name.is_empty());
            let new_name = new_name.unwrap_or(name);
            self.move_one(name, new_name, target.as_fd(), &inside)
                .with_context(|| {
                    format!(
                        "linux.netDevices: fail to move network device {name} to network namespace {}",
                        namespace.display()
                    )
                })?;
        }
        Ok(())
    }

    fn move_one(
        &self,
        name: &str,
        new_name: &str,
        target: BorrowedFd<'_>,
        inside: &Route,
    ) -> Result<()> {
        let index = self.host.index(name)?;
        // Addresses of IPv6 do not outlast the device's going down, those of IPv4 not its moving.
        let addresses = self.host.addresses(index)?;
        self.host
            .link(index, Some(false), &[])
            .context("set down")?;
        // In one request, so that no other device can come to have its name in between.
        let mut attributes = attribute(IFLA_IFNAME, &[new_name.as_bytes(), b"\0"].concat());
        attributes.extend(attribute(IFLA_NET_NS_FD, &target.as_raw_fd().to_ne_bytes()));
        self.host.link(index, None, &attributes)?;
        let index = inside.index(new_name)?;
        for address in &addresses {
            inside.add(index, address).context("set an address")?;
        }
        inside.link(index, Some(true), &[]).context("set up")
    }
}

/// An address of a device, in the kernel's own form.
struct Address {
    family: u8,
    prefix_length: u8,
    attributes: Vec<u8>,
}

struct Route(OwnedFd);

impl Route {
    fn open() -> Result<Route> {
        netlink::route()
            .map(Route)
            .context("linux.netDevices: socket of netlink")
    }

    /// Sends a request, and has a look at each message of the answer.
    fn ask(&self, kind: u16, flags: u16, body: &[u8], mut answer: impl FnMut(&[u8])) -> Result<()> {
        let length = (HEADER + body.len()) as u32;
        let mut request = length.to_ne_bytes().to_vec();
        request.extend(kind.to_ne_bytes());
        request.extend((REQUEST | flags).to_ne_bytes());
        // Answers come in the order of the questions: none needs a number.
        request.extend([0; 8]);
        request.extend(body);
        socket::send(self.0.as_fd(), &request)?;
        let mut buffer = vec![0; 32 << 10];
        loop {
            let (length, _) = socket::receive(self.0.as_fd(), &mut buffer)?;
            let mut rest = &buffer[..length];
            while rest.len() >= HEADER {
                let length = (number(rest, 0) as usize).clamp(HEADER, rest.len());
                let (message, after) = rest.split_at(length);
                rest = after
                    .get(length.next_multiple_of(4) - length..)
                    .unwrap_or_default();
                match u16::from_ne_bytes([message[4], message[5]]) {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => {
                        return match number(message, HEADER) as i32 {
                            0 => Ok(()),
                            error => Err(std::io::Error::from_raw_os_error(-error).into()),
                        };
                    }
                    _ => answer(&message[HEADER..]),
                }
            }
        }
    }

    fn index(&self, name: &str) -> Result<u32> {
        let mut body = vec![0; LINK];
        body.extend(attribute(IFLA_IFNAME, &[name.as_bytes(), b"\0"].concat()));
        let mut index = 0;
        let mut found = |link: &[u8]| index = number(link, 4);
        match self.ask(RTM_GETLINK, ACK, &body, &mut found) {
            Ok(()) => Ok(index),
            Err(error) => Err(error.wrap(format!("link not found for interface {name}"))),
        }
    }

    fn addresses(&self, index: u32) -> Result<Vec<Address>> {
        let mut addresses = Vec::new();
        // Addresses that were learned, and those of a link, are the business of the network that they are of.
        let note = |message: &[u8]| {
            if message.len() < ADDRESS || number(message, 4) != index {
                return;
            }
            let [family, prefix_length, flags, scope] = [0, 1, 2, 3].map(|at| message[at]);
            if flags & IFA_F_PERMANENT != 0 && scope == RT_SCOPE_UNIVERSE {
                addresses.push(Address {
                    family,
                    prefix_length,
                    attributes: kept(&message[ADDRESS..]),
                });
            }
        };
        self.ask(RTM_GETADDR, DUMP, &[0; ADDRESS], note)
            .context("fail to get ip addresses")?;
        Ok(addresses)
    }

    fn add(&self, index: u32, address: &Address) -> Result<()> {
        let mut body = vec![address.family, address.prefix_length, 0, RT_SCOPE_UNIVERSE];
        body.extend(index.to_ne_bytes());
        body.extend(&address.attributes);
        self.ask(RTM_NEWADDR, ACK | CREATE, &body, |_| ())
    }

    /// Changes a device: whether it is up, and what the attributes say.
    fn link(&self, index: u32, up: Option<bool>, attributes: &[u8]) -> Result<()> {
        let mut body = vec![0; 4];
        body.extend(index.to_ne_bytes());
        body.extend((u32::from(up == Some(true)) * IFF_UP).to_ne_bytes());
        body.extend((u32::from(up.is_some()) * IFF_UP).to_ne_bytes());
        body.extend(attributes);
        self.ask(RTM_NEWLINK, ACK, &body, |_| ())
    }
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Of an address's attributes those that are its own: labels and lifetimes belong to the place that it leaves.
fn kept(mut attributes: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while attributes.len() >= 4 {
        let [length, kind] =
            [0, 2].map(|at| u16::from_ne_bytes([attributes[at], attributes[at + 1]]));
        let length = usize::from(length).clamp(4, attributes.len());
        if matches!(kind, IFA_ADDRESS | IFA_LOCAL | IFA_BROADCAST) {
            bytes.extend(attribute(kind, &attributes[4..length]));
        }
        attributes = attributes
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    bytes
}

fn number(bytes: &[u8], at: usize) -> u32 {
    let number = bytes.get(at..at + 4).map(|bytes| bytes.try_into());
    number
        .and_then(|bytes| bytes.ok())
        .map_or(0, u32::from_ne_bytes)
}
