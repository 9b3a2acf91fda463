//! The matrix of tokens that must not be believed, checked with the real key and the real crate.

use std::sync::OnceLock;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use holdfast_domain::actor::Role;
use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::auth::mint::{Grant, mint};
use crate::keys::Keys;

const SUBJECT: &str = "018f2a10-7c5e-7000-8000-000000000001";

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::open(tempfile::tempdir().unwrap().path()).unwrap())
}

fn tokens() -> Tokens {
    Tokens { issuer: "us".into(), audience: "here".into(), jwks_url: None }
}

fn verifier() -> Verifier {
    Verifier::own(&keys().signing, tokens()).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": "us", "aud": "here", "sub": SUBJECT, "exp": unix_seconds().saturating_add(60),
        "roles": ["customer", "wizard"],
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// Signs any head over any claims with the node's real key: only the contents are wrong.
fn signed(head: &Value, claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", part(&head.to_string()), part(claims));
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), keys().signing.encoding(), Algorithm::RS256);
    format!("{message}.{}", signature.unwrap())
}

fn head() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": keys().signing.key_id()})
}

fn head_with(name: &str, value: Value) -> Value {
    let mut head = head();
    head[name] = value;
    head
}

fn token(claims: &Value) -> String {
    signed(&head(), &claims.to_string())
}

#[tokio::test]
async fn a_minted_token_is_believed_and_unknown_roles_are_left_out() {
    let tokens = tokens();
    let grant = Grant {
        tokens: &tokens,
        principal: SUBJECT.parse().unwrap(),
        roles: &[Role::Provider],
        from: unix_seconds(),
        lifetime: Duration::from_mins(1),
    };
    let minted = mint(&keys().signing, &grant).unwrap();
    let verifier = verifier();
    for _remembered in 0..2 {
        let caller = verifier.verify(&minted).await.unwrap();
        assert_eq!(caller.principal.to_string(), SUBJECT);
        assert!(caller.has(Role::Provider) && !caller.has(Role::Customer));
    }
    let caller = verifier.verify(&token(&claims())).await.unwrap();
    assert_eq!(caller.roles, [Role::Customer].into());
    assert!(verifier.verify(&token(&without("roles"))).await.unwrap().roles.is_empty());
}

#[tokio::test]
async fn claims_that_are_not_ours_are_refused() {
    let now = unix_seconds();
    let verifier = verifier();
    for (claims, expected) in [
        (without("exp"), TokenError::Claims),
        (with("exp", json!((now + 60).to_string())), TokenError::Claims),
        (with("exp", json!(1e10)), TokenError::Claims),
        (with("exp", json!(-1)), TokenError::Claims),
        (with("exp", json!(1_u64 << 63)), TokenError::Claims),
        (with("exp", json!(now - LEEWAY_SECONDS - 2)), TokenError::Expired),
        (with("nbf", json!(now + LEEWAY_SECONDS + 5)), TokenError::NotYetValid),
        (with("nbf", json!(now.to_string())), TokenError::Claims),
        (without("iss"), TokenError::Claims),
        (with("iss", json!("them")), TokenError::Claims),
        (without("aud"), TokenError::Claims),
        (with("aud", json!("there")), TokenError::Claims),
        (with("aud", json!(["here", "there"])), TokenError::Claims),
        (without("sub"), TokenError::Claims),
        (with("sub", json!("alice")), TokenError::Claims),
        (with("sub", json!(SUBJECT.to_uppercase())), TokenError::Claims),
        (with("roles", json!("admin")), TokenError::Claims),
        (with("roles", json!([1])), TokenError::Claims),
    ] {
        assert_eq!(verifier.verify(&token(&claims)).await, Err(expected), "{claims}");
    }
    let within = [with("exp", json!(now - LEEWAY_SECONDS + 5)), with("nbf", json!(now + 5))];
    for claims in within {
        assert!(verifier.verify(&token(&claims)).await.is_ok(), "{claims}");
    }
    let twice = claims().to_string().replacen('{', "{\"sub\":\"x\",", 1);
    assert_eq!(verifier.verify(&signed(&head(), &twice)).await, Err(TokenError::Claims));
}

#[tokio::test]
async fn heads_that_ask_for_another_treatment_are_refused() {
    let verifier = verifier();
    for (head, expected) in [
        (head_with("alg", json!("none")), TokenError::Algorithm),
        (head_with("alg", json!("nOnE")), TokenError::Algorithm),
        (head_with("alg", json!("HS256")), TokenError::Algorithm),
        (head_with("alg", json!("RS512")), TokenError::Algorithm),
        (head_with("alg", json!("PS256")), TokenError::Algorithm),
        (head_with("alg", json!("EdDSA")), TokenError::Algorithm),
        (head_with("alg", json!("ES256")), TokenError::Algorithm),
        (head_with("kid", json!("../../dev/null")), TokenError::KeyUnknown),
        (head_with("kid", json!("' OR 1=1 --")), TokenError::KeyUnknown),
        (head_with("kid", Value::Null), TokenError::KeyUnknown),
        (head_with("jwk", json!({"kty": "RSA"})), TokenError::Malformed),
        (head_with("jku", json!("https://evil.example")), TokenError::Malformed),
        (head_with("x5u", json!("https://evil.example")), TokenError::Malformed),
        (head_with("crit", json!(["exp"])), TokenError::Malformed),
        (head_with("typ", json!("refresh+jwt")), TokenError::Malformed),
        (head_with("typ", json!("ticket")), TokenError::Malformed),
    ] {
        let token = signed(&head, &claims().to_string());
        assert_eq!(verifier.verify(&token).await, Err(expected), "{head}");
    }
    let access = signed(&head_with("typ", json!("at+jwt")), &claims().to_string());
    assert!(verifier.verify(&access).await.is_ok());
}

#[tokio::test]
async fn texts_that_are_no_token_are_refused() {
    let verifier = verifier();
    let good = token(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let unsigned = format!("{message}.");
    let altered = {
        let other = token(&with("sub", json!("018f2a10-7c5e-7000-8000-000000000002")));
        format!("{}.{signature}", other.rsplit_once('.').unwrap().0)
    };
    assert_eq!(verifier.verify(&altered).await, Err(TokenError::Signature));
    for wrong in [
        String::new(),
        "a.b".into(),
        "a.b.c".into(),
        unsigned,
        format!("{good}.x"),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}="),
        token(&with("padding", json!("x".repeat(16 * 1024)))),
    ] {
        assert_eq!(verifier.verify(&wrong).await, Err(TokenError::Malformed), "{wrong:.60}");
    }
}

#[tokio::test]
async fn the_public_key_is_no_secret_to_sign_with() {
    let published = serde_json::to_string(&keys().signing.public_set()).unwrap();
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(keys().signing.key_id().to_owned());
    let forged =
        encode(&header, &claims(), &EncodingKey::from_secret(published.as_bytes())).unwrap();
    assert_eq!(verifier().verify(&forged).await, Err(TokenError::Algorithm));
}

#[tokio::test]
async fn a_p256_key_checks_es256_and_nothing_else() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let der = pair.to_pkcs8v1().unwrap();
    let encoding = EncodingKey::from_ec_der(der.as_ref());
    let mut jwk = Jwk::from_encoding_key(&encoding, Algorithm::ES256).unwrap();
    jwk.common.key_id = Some("ec".into());
    let key = CheckingKey::from_jwk(&jwk).unwrap();
    let verifier =
        Verifier { source: Source::Own(key), tokens: tokens(), verified: Verified::default() };
    let mut header = Header::new(Algorithm::ES256);
    header.kid = Some("ec".into());
    let token = encode(&header, &claims(), &encoding).unwrap();
    assert!(verifier.verify(&token).await.is_ok());
    let swapped = signed(&json!({"alg": "RS256", "kid": "ec"}), &claims().to_string());
    assert_eq!(verifier.verify(&swapped).await, Err(TokenError::Algorithm));
}

#[test]
fn keys_for_other_purposes_are_not_taken() {
    let set = keys().signing.public_set();
    let jwk = set.keys.first().unwrap();
    assert!(CheckingKey::from_jwk(jwk).is_some());
    let mut encrypts = jwk.clone();
    encrypts.common.public_key_use = Some(PublicKeyUse::Encryption);
    let mut nameless = jwk.clone();
    nameless.common.key_id = None;
    let mut longer = jwk.clone();
    longer.common.key_algorithm = Some(KeyAlgorithm::RS512);
    for other in [encrypts, nameless, longer] {
        assert!(CheckingKey::from_jwk(&other).is_none());
    }
}
