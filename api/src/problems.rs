//! The catalogue of problems: every way in which the edge says no, with a stable code, a status,
//! what it means and what to do next. The pages under `/problems` and `docs/api/problems.md` are
//! made from it. Building an answer from a code is `http::problem`.

pub mod catalogue;
pub mod pages;
pub mod refusals;

pub use catalogue::Code;

/// What is known of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The stable name.
    pub code: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// The title of the answer.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What the caller can do.
    pub next: &'static str,
}

/// Declares the codes: `Variant "code" status "title" "meaning" "next"`.
macro_rules! problems {
    ($($variant:ident $code:literal $status:literal $title:literal $meaning:literal $next:literal;)*) => {
        /// A way to say no.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// What is known of it.
            pub const fn entry(self) -> &'static $crate::problems::Entry {
                match self {
                    $(Self::$variant => &$crate::problems::Entry {
                        code: $code,
                        status: $status,
                        title: $title,
                        meaning: $meaning,
                        next: $next,
                    },)*
                }
            }
        }
    };
}
pub(crate) use problems;

impl Code {
    /// The code of a stable name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.entry().code == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_said_once_and_in_full() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.entry().code).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            let entry = code.entry();
            assert!(entry.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!((400..600).contains(&entry.status), "{}", entry.code);
            assert!(entry.meaning.ends_with('.') && entry.next.ends_with('.'), "{}", entry.code);
            assert_eq!(Code::find(entry.code), Some(*code));
        }
    }
}
