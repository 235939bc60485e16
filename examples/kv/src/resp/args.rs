//! The arguments of a request: byte strings that lie where they arrived.

use core::fmt;

/// Where an argument lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The arguments of a request, its name first: byte strings that lie in a buffer somebody else owns.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// Those that lie there.
    pub(super) fn new(bytes: &'a [u8], spans: &'a [Span]) -> Self {
        Self { bytes, spans }
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`, counted from 0.
    pub fn at(&self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).and_then(|span| self.slice(*span))
    }

    /// These arguments without the first `count`.
    pub fn skip(&self, count: usize) -> Self {
        let spans = self.spans.get(count..).unwrap_or_default();
        Self {
            bytes: self.bytes,
            spans,
        }
    }

    /// All arguments in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let args = *self;
        self.spans
            .iter()
            .map(move |span| args.slice(*span).unwrap_or_default())
    }

    /// A copy that outlives the buffer.
    pub fn to_owned(&self) -> OwnedArgs {
        let start = self.spans.first().map_or(0, |span| span.start);
        let end = self.spans.last().map_or(0, |span| span.end);
        let shifted = |span: &Span| Span {
            start: span.start - start,
            end: span.end - start,
        };
        OwnedArgs {
            bytes: self.bytes.get(start..end).unwrap_or_default().into(),
            spans: self.spans.iter().map(shifted).collect(),
        }
    }

    fn slice(&self, span: Span) -> Option<&'a [u8]> {
        self.bytes.get(span.start..span.end)
    }
}

/// The arguments of a request that has to wait.
#[derive(Clone, Debug)]
pub struct OwnedArgs {
    bytes: Box<[u8]>,
    spans: Box<[Span]>,
}

impl OwnedArgs {
    /// How many bytes they take.
    pub fn size(&self) -> usize {
        self.bytes.len() + size_of_val(&*self.spans)
    }

    /// A view of them.
    pub fn args(&self) -> Args<'_> {
        Args {
            bytes: &self.bytes,
            spans: &self.spans,
        }
    }
}

impl PartialEq for Args<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Args<'_> {}

impl fmt::Debug for Args<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.iter().map(|arg| arg.escape_ascii().to_string());
        formatter.debug_list().entries(texts).finish()
    }
}
