use opentelemetry::Context;
use opentelemetry::global::get_text_map_propagator;
use opentelemetry::propagation::{Extractor, Injector};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";

/// A trace that a record belongs to, as W3C writes it.
///
/// It is written and read with the global propagator of `opentelemetry`, which the process has to set; without
/// one, no record carries a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// Header `traceparent`.
    pub trace_parent: Option<String>,
    /// Header `tracestate`.
    pub trace_state: Option<String>,
}

impl TraceContext {
    /// The one of the current `tracing` span.
    #[must_use]
    pub fn current() -> Self {
        let mut context = Self::default();
        get_text_map_propagator(|propagator| {
            propagator.inject_context(&Span::current().context(), &mut context);
        });
        context
    }

    /// The one that a message carries.
    #[must_use]
    pub fn of_message(message: &impl Message) -> Self {
        let mut context = Self::default();
        if let Some(headers) = message.headers() {
            for header in headers.iter() {
                let text = header.value.and_then(|value| std::str::from_utf8(value).ok());
                if let Some(text) = text {
                    context.set(header.key, text.to_owned());
                }
            }
        }
        context
    }

    /// Whether its spans are kept: the flag `sampled` of `traceparent` (W3C Trace Context, 3.2.2.5).
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        let flags = self
            .trace_parent
            .as_deref()
            .and_then(|parent| parent.rsplit('-').next());
        flags.is_some_and(|flags| u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1))
    }

    /// What goes on from `span`. Without a tracer of our own the trace goes on as it came.
    #[must_use]
    pub fn within(self, span: &Span) -> Self {
        let own = span.in_scope(Self::current);
        if own.trace_parent.is_some() { own } else { self }
    }

    /// Adds it to the headers of a message.
    #[must_use]
    pub fn into_headers(self, headers: OwnedHeaders) -> OwnedHeaders {
        let parts = [(TRACE_PARENT, self.trace_parent), (TRACE_STATE, self.trace_state)];
        parts
            .into_iter()
            .fold(headers, |headers, (key, value)| match value {
                Some(value) => headers.insert(Header {
                    key,
                    value: Some(&value),
                }),
                None => headers,
            })
    }

    /// For `opentelemetry`.
    #[must_use]
    pub fn to_context(&self) -> Context {
        get_text_map_propagator(|propagator| propagator.extract(self))
    }

    /// Makes `span`, which must not have been entered yet, a child of it.
    pub fn adopt(&self, span: &Span) {
        if self.trace_parent.is_some() {
            // Fails where no tracing to OpenTelemetry is set up; then there is nothing to adopt.
            span.set_parent(self.to_context()).ok();
        }
    }
}

impl Injector for TraceContext {
    fn set(&mut self, key: &str, value: String) {
        // The propagator writes an empty state where there is none.
        let value = Some(value).filter(|value| !value.is_empty());
        match key {
            TRACE_PARENT => self.trace_parent = value,
            TRACE_STATE => self.trace_state = value,
            _ => {}
        }
    }
}

impl Extractor for TraceContext {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACE_PARENT => self.trace_parent.as_deref(),
            TRACE_STATE => self.trace_state.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACE_PARENT, TRACE_STATE]
    }
}
