//! Ports for engines that share a machine with others.

use std::io;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below what Linux gives to outgoing connections (32768 to 60999 unless `ip_local_port_range` says otherwise).
const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A port of 127.0.0.1 that nobody listens on, between 12000 and 31999.
///
/// A port that the kernel chooses (port 0) is one that it may give to an outgoing connection while the engine that it
/// was meant for is not there: before its start, or between its end and its next start. A client that asks for an
/// engine that is away can even be given the engine's port as its own, and then talks with itself. These are never
/// given so, and none is given twice in one process; another process begins elsewhere in the range.
///
/// # Errors
/// None is left, or sockets cannot be opened at all.
pub fn free_port() -> io::Result<u16> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Numbers of processes that follow each other land far apart.
    let first = std::process::id().wrapping_mul(7_919) % COUNT;
    loop {
        let asked = ASKED.fetch_add(1, Ordering::Relaxed);
        if asked >= COUNT {
            return Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                format!(
                    "no free port of 127.0.0.1 between {FIRST} and {}",
                    FIRST + COUNT - 1
                ),
            ));
        }
        let port = u16::try_from(FIRST + (first + asked) % COUNT).map_err(io::Error::other)?;
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_is_given_once_and_no_taken_one() {
        let next = free_port().unwrap();
        let taken: Vec<TcpListener> = (next + 1..next + 4)
            .filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok())
            .collect();
        let given: BTreeSet<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        assert_eq!(given.len(), 50);
        assert!(given.iter().all(|port| (12_000..32_000).contains(port)));
        assert!(!given.contains(&next));
        for listener in taken {
            assert!(!given.contains(&listener.local_addr().unwrap().port()));
        }
    }
}
