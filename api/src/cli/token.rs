//! `holdfast token`: a token signed with the key of a data folder. For development and for the first
//! operator of a node; in production an issuer does this.

use std::time::Duration;

use clap::Args;
use holdfast_domain::actor::Role;
use holdfast_domain::ids::PrincipalId;

use super::settings::OfflineFlags;
use super::{Failure, hint, output};
use crate::auth::mint::{Grant, mint};
use crate::keys::Keys;
use crate::wall_clock::unix_seconds;

const LIFETIME_MAX: Duration = Duration::from_hours(366 * 24);

/// What the token shall say.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  holdfast token --sub 018f2a10-7c5e-7000-8000-000000000001 \
                        --role customer --ttl 8h")]
pub struct TokenArguments {
    /// The subject: a UUID in its canonical form.
    #[arg(long, value_name = "UUID")]
    sub: PrincipalId,
    /// A role: customer, provider, auditor or admin. Can be given several times.
    #[arg(long, value_name = "ROLE", required = true, value_parser = role)]
    role: Vec<Role>,
    /// How long it lasts: a number and s, m, h or d.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    ttl: Duration,
    #[command(flatten)]
    settings: OfflineFlags,
}

fn role(text: &str) -> Result<Role, &'static str> {
    let known = Role::ALL.into_iter().find(|role| role.name() == text);
    known.ok_or("one of customer, provider, auditor, admin")
}

fn lifetime(text: &str) -> Result<Duration, &'static str> {
    const SHAPE: &str = "a number and s, m, h or d, up to 366d";
    let mut digits = text.chars();
    let unit = match digits.next_back() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(SHAPE),
    };
    let count: u64 = digits.as_str().parse().map_err(|_not_a_number| SHAPE)?;
    let seconds = count.checked_mul(unit).ok_or(SHAPE)?;
    Some(Duration::from_secs(seconds))
        .filter(|span| !span.is_zero() && *span <= LIFETIME_MAX)
        .ok_or(SHAPE)
}

/// Prints the token.
pub fn run(arguments: &TokenArguments) -> Result<(), Failure> {
    let config = arguments.settings.load()?;
    if config.tokens.jwks_url.is_some() {
        let why = "tokens come from the issuer behind jwks-url; this node would refuse its own";
        return Err(Failure::Conflict(why.to_owned()));
    }
    let is_new = !Keys::is_made(&config.data);
    let keys = Keys::open(&config.data)?;
    let grant = Grant {
        tokens: &config.tokens,
        principal: arguments.sub,
        roles: &arguments.role,
        from: unix_seconds(),
        lifetime: arguments.ttl,
    };
    let token = mint(&keys.signing, &grant).map_err(|why| Failure::Failed(why.to_string()))?;
    if is_new {
        let folder = config.data.join("keys");
        let serve = hint::with_keys("serve", &config);
        output::tell(&format!(
            "no key was there: made one in {}. Only a node on this folder accepts the token:  {serve}",
            folder.display()
        ));
    }
    output::line(&token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_has_a_unit_and_an_end() {
        assert_eq!(lifetime("90m"), Ok(Duration::from_mins(90)));
        assert_eq!(lifetime("366d"), Ok(LIFETIME_MAX));
        for wrong in ["", "h", "1", "0s", "-1h", "1.5h", "367d", "1w", "99999999999999999999s"] {
            assert!(lifetime(wrong).is_err(), "{wrong}");
        }
    }
}
