use super::*;

fn parse(text: &str) -> Address {
    Address::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn urls_have_scheme_user_host_and_port() {
    for (text, shown, tls, user) in [
        ("redis://valkey.example.net", "valkey.example.net", false, None),
        ("valkey://valkey.example.net/", "valkey.example.net", false, None),
        ("rediss://synwatch@valkey.example.net:6380", "valkey.example.net:6380", true, Some("synwatch")),
        ("rediss://@192.0.2.7:6379/0", "192.0.2.7", true, None),
        ("redis://[2001:db8::7]:7000", "[2001:db8::7]:7000", false, None),
        ("redis://[2001:db8::7]", "2001:db8::7", false, None),
        ("redis+unix:///run/valkey/valkey.sock", "/run/valkey/valkey.sock", false, None),
        ("unix:///run/a@b", "/run/a@b", false, None),
        ("redis+unix://mx@/run/valkey.sock", "/run/valkey.sock", false, Some("mx")),
    ] {
        let address = parse(text);
        assert_eq!(address.to_string(), shown, "{text}");
        assert_eq!((address.is_tls(), address.user.as_deref()), (tls, user), "{text}");
    }
}

#[test]
fn what_is_no_server_is_refused_with_the_cause() {
    for (text, cause) in [
        ("valkey.example.net", "no URL"),
        ("http://valkey.example.net", "no URL"),
        ("redis://", "no host"),
        ("redis://:6379", "no host"),
        ("redis://a b", "no host"),
        ("redis://[192.0.2.7]", "no host"),
        ("redis://[2001:db8::7", "no host"),
        ("redis://mx:0", "\"0\" is no port"),
        ("redis://mx:65536", "\"65536\" is no port"),
        ("redis://[2001:db8::7]x", "is no port"),
        ("redis://mx/2", "\"2\" after the host"),
        ("redis://me:secret@mx", "a password does not belong in a URL"),
        ("redis+unix://", "no absolute path"),
        ("redis+unix://run/x", "no absolute path"),
    ] {
        let error = Address::parse(text).unwrap_err().to_string();
        assert!(error.contains(cause), "{text}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_fleet_has_each_server_once_and_not_too_many() {
    let servers = |texts: &[&str]| Servers::new(texts.iter().map(|text| parse(text)).collect());
    assert_eq!(servers(&[]), Err(AddressError::Number));
    assert_eq!(servers(&["redis://a", "redis://me@a:6379"]), Err(AddressError::Twice("a".to_owned())));
    let many: Vec<_> = (0..9).map(|number| parse(&format!("redis://a{number}"))).collect();
    assert_eq!(Servers::new(many), Err(AddressError::Number));
}

#[test]
fn a_source_has_the_same_server_in_whatever_order_they_are_listed() {
    let servers = |texts: &[&str]| Servers::new(texts.iter().map(|text| parse(text)).collect()).unwrap();
    let one = servers(&["redis://a", "redis://b", "redis://c"]);
    let other = servers(&["redis://c", "redis://a", "redis://b"]);
    let fewer = servers(&["redis://a", "redis://b"]);
    let mut held = [0; 3];
    for number in 0..300 {
        let source = format!("198.51.100.{number}");
        let of = one.of(&source);
        assert_eq!(of, other.of(&source));
        held[of] += 1;
        // What the third server did not hold stays where it was without it.
        assert!(of == 2 || fewer.of(&source) == of);
    }
    assert!(held.iter().all(|sources| (70..130).contains(sources)), "{held:?}");
}
