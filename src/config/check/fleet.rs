//! The settings of a fleet.

use std::path::PathBuf;

use rustix::system::uname;

use super::value::{read, wrong, wrong_path};
use crate::cli::{Cli, FleetOptions, Located};
use crate::config::{FleetSettings, UsageError};
use crate::fleet::store::{AccessFiles, Address, Name, Servers};

pub(super) fn fleet(cli: &Cli) -> Result<Option<FleetSettings>, UsageError> {
    let options = &cli.fleet;
    let Some(first) = options.fleet.first() else { return idle(cli).map(|()| None) };
    if !cli.read.is_empty() {
        return Err(wrong("fleet", first, "a replay counts alone (give it with -i)"));
    }
    let address = |text: &Located| Address::parse(&text.value).map_err(|cause| wrong("fleet", text, cause));
    let addresses = options.fleet.iter().map(address).collect::<Result<Vec<_>, _>>()?;
    let is_tls = addresses.iter().any(Address::is_tls);
    let servers = Servers::new(addresses).map_err(|cause| wrong("fleet", first, cause))?;
    let name: Name = read("fleet-name", &options.fleet_name)?;
    let gateway = match &options.gateway {
        Some(written) => read("gateway", written)?,
        None => host_name(first)?,
    };
    if options.fleet_blocks && cli.blocking.block.is_none() {
        let written = Located { value: "true".to_owned(), place: first.place.clone() };
        return Err(wrong("fleet-blocks", &written, "nothing is blocked here (say how with --block nft)"));
    }
    match (&options.fleet_cert, &options.fleet_key) {
        (Some(_), Some(_)) | (None, None) => {}
        (Some(cert), None) => return Err(wrong_path("fleet-cert", cert, "has no key (--fleet-key FILE)")),
        (None, Some(key)) => {
            return Err(wrong_path("fleet-key", key, "has no certificate (--fleet-cert FILE)"));
        }
    }
    if let (false, Some((option, written))) = (is_tls, tls_file(options)) {
        return Err(wrong_path(option, written, "no server of the fleet has TLS (rediss://)"));
    }
    let path = |file: &Option<Located<PathBuf>>| file.as_ref().map(|file| file.value.clone());
    let files = AccessFiles {
        password: path(&options.fleet_password_file),
        ca: path(&options.fleet_ca),
        cert: path(&options.fleet_cert),
        key: path(&options.fleet_key),
    };
    Ok(Some(FleetSettings { servers, name, gateway, blocks: options.fleet_blocks, files }))
}

/// Options of a fleet without one. In a file they may stand for a `--fleet` of the command line.
fn idle(cli: &Cli) -> Result<(), UsageError> {
    const WHY: &str = "there is no fleet (say by which server with --fleet URL)";
    let options = &cli.fleet;
    let given = [
        ("fleet_name", "fleet-name", Some(&options.fleet_name)),
        ("gateway", "gateway", options.gateway.as_ref()),
    ];
    if let Some((_, option, Some(text))) = given.into_iter().find(|(id, ..)| cli.is_given(id)) {
        return Err(wrong(option, text, WHY));
    }
    let files = [
        ("fleet_password_file", "fleet-password-file", &options.fleet_password_file),
        ("fleet_ca", "fleet-ca", &options.fleet_ca),
        ("fleet_cert", "fleet-cert", &options.fleet_cert),
        ("fleet_key", "fleet-key", &options.fleet_key),
    ];
    match files.into_iter().find(|(id, ..)| cli.is_given(id)) {
        Some((_, option, Some(path))) => Err(wrong_path(option, path, WHY)),
        _ => Ok(()),
    }
}

/// The first of the files for TLS that is named.
fn tls_file(options: &FleetOptions) -> Option<(&'static str, &Located<PathBuf>)> {
    let files = [("fleet-ca", &options.fleet_ca), ("fleet-cert", &options.fleet_cert)];
    files.into_iter().find_map(|(option, file)| Some((option, file.as_ref()?)))
}

/// The host name, with the place of the server for the error.
fn host_name(server: &Located) -> Result<Name, UsageError> {
    let uname = uname();
    let name = uname.nodename().to_string_lossy();
    name.parse().map_err(|_| {
        let written = Located { value: name.clone().into_owned(), place: server.place.clone() };
        wrong("gateway", &written, "the host name is no name of a gateway (give one with --gateway NAME)")
    })
}
