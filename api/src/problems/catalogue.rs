//! The table of problem codes. One row, one code; the order is the order of the documentation.

use super::problems;

problems! {
    // How a request is written.
    BadRequest "bad_request" 400 "The request cannot be read"
        "The HTTP message itself is malformed." "Send a well-formed request.";
    MalformedJson "malformed_json" 400 "The body is not one JSON document"
        "The body is empty, is cut, holds a byte order mark or invalid UTF-8, or something follows the document."
        "Send exactly one JSON document in UTF-8.";
    DuplicateKey "duplicate_key" 400 "An object names a key twice"
        "The body holds an object in which a key stands twice, so its meaning is not certain."
        "Send each key once.";
    TooDeep "too_deep" 400 "The body is nested too deeply"
        "The body nests arrays and objects deeper than 32 levels." "Send a flatter document.";
    InvalidQuery "invalid_query" 400 "The query string is not understood"
        "A query parameter is unknown, stands twice, or has a value that it does not take."
        "Use the parameters of the API description, each at most once.";
    BadCursor "bad_cursor" 400 "The cursor was not made for this request"
        "The cursor is altered or cut, it belongs to another caller, another list or another filter, or the log was restored from a back-up since."
        "Start again without a cursor.";
    BadIfMatch "bad_if_match" 400 "If-Match is not understood"
        "The header is neither `*` nor one strong entity tag that this API gave out."
        "Send back the ETag exactly as it was received.";
    IdempotencyKeyRequired "idempotency_key_required" 400 "A command needs an Idempotency-Key"
        "The header is missing, so a repeated request could not be told from a second one."
        "Send a fresh random key with each new command, and the same key with each retry of it.";
    IdempotencyKeyInvalid "idempotency_key_invalid" 400 "The Idempotency-Key is not understood"
        "The key is not 1 to 255 visible ASCII characters, or the header stands twice."
        "Use a UUID as the key.";
    PayloadTooLarge "payload_too_large" 413 "The body is too large"
        "The body is larger than this node accepts; 64 KiB unless configured otherwise."
        "Send a smaller body.";
    UnsupportedMediaType "unsupported_media_type" 415 "The body must be JSON in UTF-8"
        "The Content-Type is missing or is not application/json in UTF-8, or the body is compressed."
        "Send `Content-Type: application/json` and an uncompressed body.";
    InvalidBody "invalid_body" 422 "The body is JSON but not what is asked for"
        "A field is unknown, missing, or has a value that it does not take; `errors` points to it."
        "Correct the fields named by `errors`.";
    InvalidId "invalid_id" 422 "An id is not written as a UUID"
        "An id in the path is not a UUID in its canonical form: 36 characters, lower case."
        "Use ids exactly as the API gave them out.";

    // Who asks.
    TokenMissing "token_missing" 401 "A token is needed"
        "The request carries no `Authorization: Bearer` header." "Send a token.";
    TokenMalformed "token_malformed" 401 "The token cannot be read"
        "The header is not one bearer token, or the token is not a signed JWT this API can read."
        "Send the token exactly as it was issued, in one Authorization header.";
    TokenAlgorithm "token_algorithm" 401 "The token is signed in a way that is not accepted"
        "Only RS256 and ES256 are accepted, and only the one that belongs to the key."
        "Get a token from the configured issuer.";
    TokenKeyUnknown "token_key_unknown" 401 "The token's key is not known"
        "The token names no key, or one that the issuer does not publish."
        "Get a fresh token from the configured issuer.";
    TokenSignature "token_signature" 401 "The token's signature is wrong"
        "The token was altered, or signed by somebody else." "Get a fresh token.";
    TokenExpired "token_expired" 401 "The token has expired"
        "The token's `exp` has passed, by more than the 30 seconds that clocks may differ." "Get a fresh token.";
    TokenNotYetValid "token_not_yet_valid" 401 "The token is not valid yet"
        "The token's `nbf` lies in the future." "Wait, or check the issuer's clock.";
    TokenClaims "token_claims" 401 "The token's claims are not accepted"
        "`exp`, `iss`, `aud` or `sub` is missing, of another kind, or not what this API expects."
        "Get a token that was issued for this API.";
    TokenKeysUnavailable "token_keys_unavailable" 503 "Tokens cannot be checked now"
        "The issuer's keys could not be fetched." "Try again shortly.";
    Forbidden "forbidden" 403 "The caller's roles do not allow this"
        "The token is valid, but none of its roles may do this." "Use a token with the role that the API description names.";
    NotFound "not_found" 404 "There is nothing here for this caller"
        "Nothing of this name exists, or it belongs to somebody else; the two are not told apart."
        "Check the path and the id.";
    MethodNotAllowed "method_not_allowed" 405 "The path does not take this method"
        "The path exists; `Allow` lists its methods." "Use one of the methods in `Allow`.";
    RateLimited "rate_limited" 429 "Too many requests"
        "The caller, or the address it calls from, has used up its share."
        "Wait as long as `Retry-After` says.";

    // Listening.
    UnknownOp "unknown_op" 400 "The message asks for nothing known"
        "The message of a socket has no `op`, or one that the protocol holdfast.v1 does not have."
        "Send one of auth, subscribe, unsubscribe, ping.";
    UnknownTopic "unknown_topic" 400 "There is no such kind of topic"
        "The name is none of the topics of the API description; `me` is always the caller's own."
        "Name a topic exactly as the API description does.";
    TooManySubscriptions "too_many_subscriptions" 429 "Too many topics for one socket"
        "The socket or stream hears as many topics as it may." "Unsubscribe from a topic first.";
    TooManySockets "too_many_sockets" 429 "Too many sockets for one caller"
        "The caller has as many sockets and streams open as she may." "Close one first.";

    // Doing it once, in order.
    IdempotencyKeyReused "idempotency_key_reused" 422 "The Idempotency-Key belongs to another request"
        "The key was used before with another query or body." "Use a fresh key for a new command.";
    RequestInFlight "request_in_flight" 409 "The same request is still being worked on"
        "A request with this key has not been answered yet." "Repeat the request with the same key after `Retry-After`.";
    RevisionMismatch "revision_mismatch" 412 "The resource has changed"
        "`If-Match` names a revision that is not the current one." "Read the resource again and decide again.";
    VersionConflict "version_conflict" 409 "Others changed the same thing at the same time"
        "The command was decided again several times and each time somebody was faster."
        "Send the command again with the same key.";
    ReadModelBehind "read_model_behind" 503 "The read model has not come that far yet"
        "The position asked for by `min_position` is not shown yet." "Repeat the read after `Retry-After`.";
    AlreadyExists "already_exists" 409 "The id is taken"
        "Something of this id exists already." "Read it, or use a fresh id.";

    // Booking.
    SlotTaken "slot_taken" 409 "The time is taken"
        "The interval, or a part of it, belongs to somebody else." "Choose another start; `alternatives` lists free ones.";
    OutsideSchedule "outside_schedule" 409 "The provider is not open then"
        "The interval does not lie within the published schedule." "Choose a start from the list of free slots.";
    InThePast "in_the_past" 409 "The time lies in the past"
        "The start has passed, or the required notice has." "Choose a later start.";
    DurationMismatch "duration_mismatch" 409 "The length is not what the offering lasts"
        "The interval asked for is not as long as the offering." "Leave the end out, or send the offering's length.";
    OfferNotOpen "offer_not_open" 409 "The offering cannot be booked now"
        "It is not published, or it is paused." "Come back later, or choose another offering.";
    SelfBooking "self_booking" 409 "A provider cannot book with herself"
        "The caller owns the resource that would be booked." "Book as another customer.";
    WrongKind "wrong_kind" 409 "This kind of offering is booked differently"
        "Slots are booked by a start, classes by a session." "Send `starts_at` for a slot, `session_id` for a class.";
    SessionNotInOffer "session_not_in_offer" 409 "The session belongs to another offering"
        "The session named is not one of this offering." "Choose one of the offering's sessions.";
    CapacityExceeded "capacity_exceeded" 409 "Not enough seats are left"
        "More people than fit: `left` says how many seats are left, or `capacity` how many there are in all." "Ask for fewer seats, or choose another session.";
    CapacityBelowSold "capacity_below_sold" 409 "More seats are sold than that"
        "The new capacity is smaller than what is booked." "Choose a larger capacity.";
    InvalidPartySize "invalid_party_size" 422 "A party has at least one person"
        "The number of persons is zero, or larger than anyone may book." "Send a number within the limits.";
    BookingClosed "booking_closed" 409 "Booking has closed"
        "The last instant for booking has passed; `closed_at` says when." "Choose a later session.";
    InvalidDuration "invalid_duration" 422 "A length is outside its limits"
        "A duration, buffer, notice, window or hold is outside its limits." "Choose a value within the limits.";
    InvalidCapacity "invalid_capacity" 422 "A capacity is outside its limits"
        "A capacity is 1 to 100000; free times have that of their resource and none of their own." "Choose a value within the limits, or leave it out.";
    PriceTooLow "price_too_low" 422 "The price is less than can be charged"
        "A price is 0 or at least what the provider of payments charges in that currency, given as `least`." "Choose a higher price, or none.";
    ScheduleTooLarge "schedule_too_large" 422 "The schedule has too many entries"
        "A schedule has at most 100 weekly hours, 1000 dates and 1000 absences." "Drop entries that are over.";
    DateOverriddenTwice "date_overridden_twice" 422 "A date is overridden twice"
        "Two overrides speak about the same date." "Merge them into one.";
    EmptyHours "empty_hours" 422 "Opening hours have no length"
        "Hours end where they start, or open at 24:00." "Send hours that start before they end.";
    HoldExpired "hold_expired" 409 "The hold has expired"
        "The seat was held until `expired_at`; nothing was charged." "Reserve again.";
    HoldGone "hold_gone" 409 "The hold is gone"
        "The hold was released, sold or replaced." "Reserve again.";
    HoldStillRunning "hold_still_running" 409 "The hold is still running"
        "The hold's deadline has not passed." "Wait for its deadline, or cancel it.";
    InvalidState "invalid_state" 409 "Not possible in its present state"
        "The resource is in a state, given as `reservation_status`, in which this cannot be done." "Read the resource; its state says what is possible.";
    TooEarly "too_early" 409 "Not yet"
        "This can only be done later; `not_before` says when, where it is known." "Wait until then.";
    Closed "closed" 409 "It is closed"
        "Nothing more can be added here." "Open a new one.";
    NotParticipant "not_participant" 403 "Only participants may do this"
        "The caller does not take part in it." "Ask a participant.";
    ReasonRequired "reason_required" 422 "A reason is needed"
        "This needs one of the listed reason codes." "Send `reason`.";
    RefundWindowClosed "refund_window_closed" 409 "Nothing can be returned any more"
        "The last instant for a refund has passed." "Cancel without a refund, or write to the provider.";
    QuoteNotValid "quote_not_valid" 409 "The cancellation quote is not valid any more"
        "It is not the last one given, or its time is over." "Ask for a new quote.";

    // Discounts.
    DuplicateDiscount "duplicate_discount" 409 "The discounts cannot be combined"
        "A coupon stands twice, or two exclude each other." "Send fewer coupons.";
    CouponExhausted "coupon_exhausted" 409 "The coupon is used up"
        "No use of the coupon is left, in all or for this customer." "Leave the coupon out.";
    CouponNotValid "coupon_not_valid" 409 "The coupon does not apply"
        "The coupon is unknown, over, not begun, or for other offerings." "Leave the coupon out.";
    PassExhausted "pass_exhausted" 409 "The pass is used up"
        "Fewer uses are left than would be needed, or the pass is over." "Pay in another way.";

    // Money.
    AmountMismatch "amount_mismatch" 409 "The amount is not what is due"
        "The amount sent differs from the amount due, given as `due`; nothing was charged." "Read the payment and send the amount due.";
    PaymentDeclined "payment_declined" 402 "The payment was declined"
        "The provider of payments took nothing; `provider_code` says why." "Pay again with another means.";
    PaymentInFlight "payment_in_flight" 409 "A payment attempt is under way"
        "The outcome of an earlier attempt is not known yet." "Read the payment until its status changes.";
    AlreadyConfirmed "already_confirmed" 409 "It was paid before"
        "The payment was confirmed before, with another authorisation." "Read the payment.";
    UnderReview "under_review" 409 "The payment is under review"
        "The provider's reports contradict each other; a person has to look." "Wait, or write to the provider.";
    NotUnderReview "not_under_review" 409 "The payment is not under review"
        "There is nothing to decide, or it was decided otherwise before." "Read the payment.";
    SeatNotHeld "seat_not_held" 409 "The seat is not held any more"
        "The time for which the seat was kept is over, so the money cannot pay for it." "Decide to return the money.";
    PaymentReturned "payment_returned" 409 "There is no seat for the money, and it goes back"
        "The money was taken when the seat was gone, or in an amount that was not accepted; `refund_pending`, `refunded` and `refund_owed` say where it is." "Read the payment; reserve again.";
    InvalidRefundAmount "invalid_refund_amount" 409 "That much cannot be returned"
        "The amount is nothing, or more than there is left to return, given as `refundable`." "Send an amount up to `refundable`.";
    TooManyRefunds "too_many_refunds" 409 "Returned in as many parts as can be"
        "A payment is returned in at most `max` parts, beside what a cancellation returns." "Cancel the booking to return the rest.";
    AmountOutOfRange "amount_out_of_range" 422 "The sum cannot be represented"
        "The price for so many people is more than 9007199254740991 minor units." "Book for fewer people.";

    // The node.
    Timeout "timeout" 503 "The request took too long"
        "The request was not answered within its limit; a command may still have been carried out." "Repeat the request; a command with the same Idempotency-Key.";
    Unavailable "unavailable" 503 "A part of the service is unavailable"
        "A store or a provider cannot be reached now, or the answer lies beyond a bound of the engine."
        "Repeat the request after `Retry-After`; without one, do what `detail` says.";
    Internal "internal" 500 "Something went wrong on our side"
        "The cause was logged under `request_id`." "Repeat the request; a command with the same Idempotency-Key. If it persists, report the `request_id`.";
}
