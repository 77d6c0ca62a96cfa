use std::fmt;
use std::path::PathBuf;

use crate::{Transport, VideoError};

/// Where pictures come from. Shown and debugged without user and password.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// A video file.
    File(PathBuf),
    /// A camera or server that speaks RTSP.
    Rtsp(RtspAddress),
    /// A folder of JPEG or PNG pictures, taken in name order.
    PictureFolder(PathBuf),
}

/// An `rtsp://`, `rtspu://` or `rtsps://` address, its user and password kept apart from what is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct RtspAddress {
    scheme: String,
    /// Where the address itself says how the packets travel.
    transport: Option<Transport>,
    login: Option<String>,
    /// Host, port, path.
    place: String,
}

impl Source {
    /// Reads an address as users write it: a path, a folder, an RTSP URL with or without `user:password@`.
    ///
    /// `rtspu://` asks for the pictures over UDP, as GStreamer's `rtspsrc` takes it.
    ///
    /// A path that does not exist is taken for a file; opening it says that it is missing.
    ///
    /// # Errors
    /// [`VideoError::UnsupportedAddress`] for other schemes, [`VideoError::BadAddress`] for an RTSP URL
    /// without a host.
    pub fn parse(text: &str) -> Result<Self, VideoError> {
        let text = text.trim();
        if let Some((scheme, rest)) = text.split_once("://") {
            let scheme = scheme.to_ascii_lowercase();
            return match scheme.as_str() {
                "rtsp" | "rtspu" | "rtsps" => RtspAddress::parse(&scheme, rest).map(Self::Rtsp),
                "file" => Ok(Self::of_path(PathBuf::from(rest))),
                _ => Err(VideoError::UnsupportedAddress {
                    address: redacted(text),
                    scheme,
                }),
            };
        }
        Ok(Self::of_path(PathBuf::from(text)))
    }

    fn of_path(path: PathBuf) -> Self {
        if path.is_dir() {
            Self::PictureFolder(path)
        } else {
            Self::File(path)
        }
    }

    /// The same source with user and password, if it is an RTSP one; any characters may stand in them.
    #[must_use]
    pub fn with_credential(self, user: &str, password: &str) -> Self {
        match self {
            Self::Rtsp(address) => Self::Rtsp(RtspAddress {
                login: Some(format!("{}:{}", percent_encoded(user), percent_encoded(password))),
                ..address
            }),
            other => other,
        }
    }

    /// A live source has no end and no past; a file has both.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Rtsp(_))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::PictureFolder(path) => write!(formatter, "{}", path.display()),
            Self::Rtsp(address) => write!(formatter, "{}://{}", address.scheme, hidden_query(&address.place)),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Source({self})")
    }
}

impl fmt::Debug for RtspAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}", self.scheme, hidden_query(&self.place))
    }
}

impl RtspAddress {
    fn parse(scheme: &str, rest: &str) -> Result<Self, VideoError> {
        let (login, place) = split_login(rest);
        let host = place.split(['/', '?']).next().unwrap_or_default();
        if host.is_empty() || host.starts_with(':') || place.contains(['\0', ' ']) {
            return Err(VideoError::BadAddress {
                address: format!("{scheme}://{}", hidden_query(place)),
            });
        }
        let login = login.map(|login| match login.split_once(':') {
            Some((user, password)) => format!("{}:{}", re_encoded(user), re_encoded(password)),
            None => re_encoded(login),
        });
        Ok(Self {
            scheme: scheme.to_owned(),
            transport: (scheme == "rtspu").then_some(Transport::Udp),
            login,
            place: place.to_owned(),
        })
    }

    pub(crate) fn transport(&self) -> Option<Transport> {
        self.transport
    }

    /// The address with its login, for FFmpeg only.
    pub(crate) fn with_login(&self) -> String {
        let scheme = if self.transport.is_some() {
            "rtsp"
        } else {
            self.scheme.as_str()
        };
        match &self.login {
            Some(login) => format!("{scheme}://{login}@{}", self.place),
            None => format!("{scheme}://{}", self.place),
        }
    }
}

/// `user:password` and the rest. A password may hold `@` and, against the rules, `/`: then the part before the
/// first slash looks like a host with a port that is no number.
fn split_login(rest: &str) -> (Option<&str>, &str) {
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let port_is_odd = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !authority.contains(']') && !port.bytes().all(|byte| byte.is_ascii_digit()));
    let at = match authority.rfind('@') {
        Some(at) => Some(at),
        None if port_is_odd => rest.rfind('@'),
        None => None,
    };
    match at {
        Some(at) => (Some(&rest[..at]), &rest[at + 1..]),
        None => (None, rest),
    }
}

/// An address without what may be a login, for error messages about addresses that could not be read.
fn redacted(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", hidden_query(split_login(rest).1)),
        None => text.to_owned(),
    }
}

/// Some cameras take the password as a part of the path or query: `user=admin&password=secret`.
fn hidden_query(place: &str) -> String {
    let mut shown = String::with_capacity(place.len());
    let mut rest = place;
    loop {
        let lower = rest.to_ascii_lowercase();
        let found = ["password=", "passwd=", "pwd=", "pass="]
            .iter()
            .filter_map(|key| lower.find(key).map(|at| at + key.len()))
            .min();
        let Some(start) = found else { break };
        shown.push_str(&rest[..start]);
        shown.push_str("***");
        let end = rest[start..]
            .find(['&', '/', '?', ';'])
            .map_or(rest.len(), |length| start + length);
        rest = &rest[end..];
    }
    shown.push_str(rest);
    shown
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// As [`percent_encoded`], leaving what already is encoded.
fn re_encoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut encoded = String::with_capacity(text.len());
    for (index, &byte) in bytes.iter().enumerate() {
        let escape = byte == b'%'
            && bytes.get(index + 1).is_some_and(u8::is_ascii_hexdigit)
            && bytes.get(index + 2).is_some_and(u8::is_ascii_hexdigit);
        if escape || byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rtsp(text: &str) -> (String, String) {
        match Source::parse(text).unwrap() {
            Source::Rtsp(address) => (Source::Rtsp(address.clone()).to_string(), address.with_login()),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn passwords_are_never_shown() {
        for (text, shown, used) in [
            ("rtsp://cam/live", "rtsp://cam/live", "rtsp://cam/live"),
            (
                "RTSP://admin:a@b@cam:554/live",
                "rtsp://cam:554/live",
                "rtsp://admin:a%40b@cam:554/live",
            ),
            (
                "rtsp://admin:pa/ss@cam/live",
                "rtsp://cam/live",
                "rtsp://admin:pa%2Fss@cam/live",
            ),
            (
                "rtsp://admin:a%40b@cam/x@1",
                "rtsp://cam/x@1",
                "rtsp://admin:a%40b@cam/x@1",
            ),
            (
                "rtsp://cam:8554/stream@1",
                "rtsp://cam:8554/stream@1",
                "rtsp://cam:8554/stream@1",
            ),
            (
                "rtsp://[::1]:8554/a",
                "rtsp://[::1]:8554/a",
                "rtsp://[::1]:8554/a",
            ),
            (
                "rtsp://cam/user=a&password=secret&channel=1",
                "rtsp://cam/user=a&password=***&channel=1",
                "rtsp://cam/user=a&password=secret&channel=1",
            ),
            (
                "rtspu://admin:secret@cam/live",
                "rtspu://cam/live",
                "rtsp://admin:secret@cam/live",
            ),
        ] {
            let (is_shown, is_used) = rtsp(text);
            assert_eq!(is_shown, shown, "{text}");
            assert_eq!(is_used, used, "{text}");
        }
        let source = Source::parse("rtsp://cam/live")
            .unwrap()
            .with_credential("操作", "p:w/1");
        assert_eq!(format!("{source:?}"), "Source(rtsp://cam/live)");
        let Source::Rtsp(address) = source else { panic!() };
        assert_eq!(
            address.with_login(),
            "rtsp://%E6%93%8D%E4%BD%9C:p%3Aw%2F1@cam/live"
        );
        let error = Source::parse("http://admin:secret@cam/x")
            .unwrap_err()
            .to_string();
        assert!(
            !error.contains("secret") && error.contains("http://cam/x"),
            "{error}"
        );
    }

    #[test]
    fn addresses_without_a_host_are_refused() {
        for text in [
            "rtsp://",
            "rtsp:///live",
            "rtsp://:554/live",
            "rtsp://user:word@/live",
        ] {
            assert!(
                matches!(Source::parse(text), Err(VideoError::BadAddress { .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn paths_are_files_and_folders() {
        assert!(matches!(Source::parse("no/such.mp4"), Ok(Source::File(_))));
        assert!(matches!(
            Source::parse(env!("CARGO_MANIFEST_DIR")),
            Ok(Source::PictureFolder(_))
        ));
        assert!(!Source::parse("a.mp4").unwrap().is_live());
        assert!(Source::parse("rtsp://cam").unwrap().is_live());
    }
}
