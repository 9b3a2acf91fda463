//! Where a request comes from. The socket's address counts; `X-Forwarded-For` is believed only from
//! the proxies that the configuration names, and only up to the first address that is none of them.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::http::header::HeaderMap;
use ipnet::IpNet;

/// The address that a request is counted under.
pub fn address(socket: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut address = socket.unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)).to_canonical();
    let forwarded: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in forwarded.iter().rev() {
        if !trusted.iter().any(|network| network.contains(&address)) {
            break;
        }
        match hop.trim().parse::<IpAddr>() {
            Ok(next) => address = next.to_canonical(),
            Err(_not_an_address) => break,
        }
    }
    address
}

/// Whether a request was made on this machine, by no proxy: what operators alone may see is shown.
pub fn is_local(socket: Option<IpAddr>, headers: &HeaderMap) -> bool {
    let proxied = ["x-forwarded-for", "forwarded", "via", "x-real-ip"];
    socket.is_some_and(|address| address.to_canonical().is_loopback())
        && !proxied.iter().any(|name| headers.contains_key(*name))
}

/// One customer's network: an IPv6 host owns 2^64 addresses and would have as many buckets.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(whole) => {
            let [a, b, c, d, ..] = whole.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn seen(socket: &str, forwarded: &'static str, trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        let name = HeaderName::from_static("x-forwarded-for");
        headers.insert(name, HeaderValue::from_static(forwarded));
        let trusted: Vec<IpNet> =
            trusted.iter().map(|text| crate::config::network(text).unwrap()).collect();
        address(Some(socket.parse().unwrap()), &headers, &trusted).to_string()
    }

    #[test]
    fn a_header_is_believed_from_trusted_proxies_only() {
        assert_eq!(seen("9.9.9.9", "127.0.0.1", &[]), "9.9.9.9");
        assert_eq!(seen("10.0.0.1", "1.1.1.1, 2.2.2.2", &["10.0.0.1"]), "2.2.2.2");
        assert_eq!(seen("10.0.0.1", "1.1.1.1, 10.0.0.2", &["10.0.0.1", "10.0.0.2"]), "1.1.1.1");
        assert_eq!(seen("10.0.0.1", "1.1.1.1, 10.0.0.2", &["10.0.0.0/24"]), "1.1.1.1");
        assert_eq!(seen("10.0.1.1", "1.1.1.1", &["10.0.0.0/24"]), "10.0.1.1");
        assert_eq!(seen("10.0.0.1", "rubbish", &["10.0.0.1"]), "10.0.0.1");
        assert_eq!(seen("::ffff:9.9.9.9", "1.1.1.1", &[]), "9.9.9.9");
    }

    #[test]
    fn a_proxied_request_is_not_local() {
        let loopback = Some("127.0.0.1".parse().unwrap());
        let mut headers = HeaderMap::new();
        assert!(is_local(loopback, &headers));
        assert!(!is_local(Some("10.0.0.1".parse().unwrap()), &headers));
        headers.insert(HeaderName::from_static("forwarded"), HeaderValue::from_static("x"));
        assert!(!is_local(loopback, &headers));
    }

    #[test]
    fn an_ipv6_network_is_one_customer() {
        let one: IpAddr = "2001:db8:1:2:3::4".parse().unwrap();
        let other: IpAddr = "2001:db8:1:2:ffff::1".parse().unwrap();
        assert_eq!(network(one), network(other));
    }
}
