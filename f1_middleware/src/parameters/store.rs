//! The parameters of one node: values, declarations, and the checks of the whole set.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use f1_interfaces::rcl_interfaces::msg::{
    FloatingPointRange, IntegerRange, Parameter as Wire, ParameterDescriptor, ParameterEvent,
};
use parking_lot::Mutex;

use super::descriptor::{Descriptor, Range};
use super::error::ParameterError;
use super::value::{Kind, ParameterType, Value};

#[derive(Clone)]
pub(super) struct Entry {
    value: Value,
    pub(super) default: Value,
    pub(super) kind: Kind,
    pub(super) descriptor: Descriptor,
}

/// A set of values that was requested, together with the values that stay as they are.
pub struct Proposal<'a> {
    values: &'a BTreeMap<String, Value>,
    changed: &'a [String],
}

impl Proposal<'_> {
    /// The value that the parameter would have.
    ///
    /// # Errors
    /// If it is not declared or of another kind.
    pub fn get<T: ParameterType>(&self, name: &str) -> Result<T, String> {
        let value = self.values.get(name).ok_or_else(|| format!("{name} is not declared"))?;
        T::from_value(value)
            .ok_or_else(|| format!("{name} is a {}, not a {}", value.kind(), T::KIND))
    }

    /// The names that were given.
    pub fn changed(&self) -> &[String] {
        self.changed
    }
}

type Validator = Arc<dyn Fn(&Proposal<'_>) -> Result<(), String> + Send + Sync>;
type Listener = Arc<dyn Fn(&[(String, Value)]) + Send + Sync>;
type EventPublisher = Box<dyn Fn(ParameterEvent) + Send + Sync>;

struct Inner {
    node: String,
    overrides: Vec<(String, Value)>,
    entries: Mutex<BTreeMap<String, Entry>>,
    validators: Mutex<Vec<Validator>>,
    listeners: Mutex<Vec<Listener>>,
    /// One set at a time, so that validators may read.
    setting: Mutex<()>,
    events: OnceLock<EventPublisher>,
}

/// The parameters of one node. Cheap to clone.
#[derive(Clone)]
pub struct Parameters {
    inner: Arc<Inner>,
}

impl Parameters {
    /// Parameters of the node with this absolute name; `overrides` come from the command line and
    /// files.
    pub fn new(node: impl Into<String>, overrides: Vec<(String, Value)>) -> Parameters {
        Parameters {
            inner: Arc::new(Inner {
                node: node.into(),
                overrides,
                entries: Mutex::new(BTreeMap::new()),
                validators: Mutex::new(Vec::new()),
                listeners: Mutex::new(Vec::new()),
                setting: Mutex::new(()),
                events: OnceLock::new(),
            }),
        }
    }

    /// Has `publish` called with every event of `/parameter_events`.
    pub(crate) fn publish_events_with(
        &self,
        publish: impl Fn(ParameterEvent) + Send + Sync + 'static,
    ) {
        let _ = self.inner.events.set(Box::new(publish));
    }

    /// Drops validators and listeners: the node is gone. They may own these parameters.
    pub(crate) fn close(&self) {
        let validators = std::mem::take(&mut *self.inner.validators.lock());
        let listeners = std::mem::take(&mut *self.inner.listeners.lock());
        drop((validators, listeners));
    }

    fn event(&self, new: Vec<Wire>, changed: Vec<Wire>) {
        if let Some(publish) = self.inner.events.get() {
            publish(ParameterEvent {
                node: self.inner.node.clone(),
                new_parameters: new,
                changed_parameters: changed,
                ..ParameterEvent::default()
            });
        }
    }

    /// The node's absolute name.
    pub fn node(&self) -> &str {
        &self.inner.node
    }

    /// Declares a parameter and returns its value: the default, or what the command line or a file
    /// gave.
    ///
    /// # Errors
    /// Declared before; the given value is of another kind or outside the range.
    pub fn declare<T: ParameterType>(
        &self,
        name: &str,
        default: T,
        descriptor: Descriptor,
    ) -> Result<T, ParameterError> {
        let default = default.into_value();
        let wrong = |given: Kind| ParameterError::WrongKind {
            name: name.to_owned(),
            expected: T::KIND,
            given,
        };
        let given = self
            .inner
            .overrides
            .iter()
            .find(|(given, _)| given == name)
            .map(|(_, value)| value.clone());
        let value = match given {
            Some(given) => {
                descriptor.worded(given).coerce(T::KIND).map_err(|given| wrong(given.kind()))?
            }
            None => default.clone(),
        };
        descriptor.check(name, &value)?;
        let typed = T::from_value(&value).ok_or_else(|| wrong(value.kind()))?;
        {
            let mut entries = self.inner.entries.lock();
            if entries.contains_key(name) {
                return Err(ParameterError::AlreadyDeclared(name.to_owned()));
            }
            let entry = Entry { value: value.clone(), default, kind: T::KIND, descriptor };
            entries.insert(name.to_owned(), entry);
        }
        self.event(vec![Wire { name: name.to_owned(), value: value.to_message() }], Vec::new());
        Ok(typed)
    }

    /// The value of a declared parameter.
    ///
    /// # Errors
    /// Not declared, or of another kind.
    pub fn get<T: ParameterType>(&self, name: &str) -> Result<T, ParameterError> {
        let value = self.value(name).ok_or_else(|| ParameterError::NotDeclared(name.to_owned()))?;
        T::from_value(&value).ok_or_else(|| ParameterError::WrongKind {
            name: name.to_owned(),
            expected: value.kind(),
            given: T::KIND,
        })
    }

    /// The value of a declared parameter of any kind.
    pub fn value(&self, name: &str) -> Option<Value> {
        self.inner.entries.lock().get(name).map(|entry| entry.value.clone())
    }

    /// Calls `visit` with each declared parameter, in the order of names.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&str, &Entry)) {
        self.inner.entries.lock().iter().for_each(|(name, entry)| visit(name, entry));
    }

    /// All declared names with their values, in the order of names.
    pub fn all(&self) -> Vec<(String, Value)> {
        self.inner
            .entries
            .lock()
            .iter()
            .map(|(name, entry)| (name.clone(), entry.value.clone()))
            .collect()
    }

    /// Names given on the command line or in a file that are not declared so far.
    pub fn unknown(&self) -> Vec<String> {
        let entries = self.inner.entries.lock();
        self.inner
            .overrides
            .iter()
            .filter(|(name, _)| !entries.contains_key(name))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Whether a parameter was given on the command line or in a file and is declared.
    pub fn is_taken(&self, name: &str) -> bool {
        self.inner.overrides.iter().any(|(given, _)| given == name)
            && self.inner.entries.lock().contains_key(name)
    }

    /// Adds a check of the whole set, run before every change; its reason is the answer to the
    /// request for the change.
    pub fn on_set(
        &self,
        validator: impl Fn(&Proposal<'_>) -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.inner.validators.lock().push(Arc::new(validator));
    }

    /// Calls back after a change with the names and values that changed.
    pub fn on_change(&self, listener: impl Fn(&[(String, Value)]) + Send + Sync + 'static) {
        self.inner.listeners.lock().push(Arc::new(listener));
    }

    /// Checks the set as it stands, for a start with values from files.
    ///
    /// # Errors
    /// [`ParameterError::Inconsistent`].
    pub fn validate(&self) -> Result<(), ParameterError> {
        self.run_validators(&self.all().into_iter().collect(), &[])
    }

    fn run_validators(
        &self,
        values: &BTreeMap<String, Value>,
        changed: &[String],
    ) -> Result<(), ParameterError> {
        let validators = self.inner.validators.lock().clone();
        for validator in validators {
            validator(&Proposal { values, changed }).map_err(ParameterError::Inconsistent)?;
        }
        Ok(())
    }

    /// Sets one parameter.
    ///
    /// # Errors
    /// As [`Parameters::set_all`].
    pub fn set(&self, name: &str, value: impl Into<Value>) -> Result<(), ParameterError> {
        self.set_all(vec![(name.to_owned(), value.into())])
    }

    /// Sets several parameters, all or none.
    ///
    /// # Errors
    /// The first that is not declared, read-only, of another kind or out of range; or the reason
    /// why the set as a whole is not valid.
    pub fn set_all(&self, values: Vec<(String, Value)>) -> Result<(), ParameterError> {
        let _setting = self.inner.setting.lock();
        let mut changes = Vec::with_capacity(values.len());
        let mut proposed: BTreeMap<String, Value> = self.all().into_iter().collect();
        {
            let entries = self.inner.entries.lock();
            for (name, value) in values {
                let entry =
                    entries.get(&name).ok_or_else(|| ParameterError::NotDeclared(name.clone()))?;
                let value = entry.descriptor.worded(value).coerce(entry.kind).map_err(|given| {
                    ParameterError::WrongKind {
                        name: name.clone(),
                        expected: entry.kind,
                        given: given.kind(),
                    }
                })?;
                if entry.descriptor.read_only && entry.value != value {
                    return Err(ParameterError::ReadOnly(name));
                }
                entry.descriptor.check(&name, &value)?;
                proposed.insert(name.clone(), value.clone());
                changes.push((name, value));
            }
        }
        let names: Vec<String> = changes.iter().map(|(name, _)| name.clone()).collect();
        self.run_validators(&proposed, &names)?;
        {
            let mut entries = self.inner.entries.lock();
            for (name, value) in &changes {
                if let Some(entry) = entries.get_mut(name) {
                    entry.value = value.clone();
                }
            }
        }
        let listeners = self.inner.listeners.lock().clone();
        for listener in listeners {
            listener(&changes);
        }
        let wire = changes
            .iter()
            .map(|(name, value)| Wire { name: name.clone(), value: value.to_message() });
        self.event(Vec::new(), wire.collect());
        Ok(())
    }

    /// The descriptor of a parameter as a message; of an undeclared one the name with no type.
    pub fn describe(&self, name: &str) -> ParameterDescriptor {
        let entries = self.inner.entries.lock();
        let mut message =
            ParameterDescriptor { name: name.to_owned(), ..ParameterDescriptor::default() };
        if let Some(entry) = entries.get(name) {
            message.r#type = entry.kind as u8;
            message.description = entry.descriptor.description.clone();
            message.read_only = entry.descriptor.read_only;
            if !entry.descriptor.choices.is_empty() {
                message.additional_constraints = entry.descriptor.constraint();
            }
            match entry.descriptor.range {
                Some(Range::Integer { from, to, step }) => {
                    message.integer_range =
                        vec![IntegerRange { from_value: from, to_value: to, step }];
                }
                Some(Range::Double { from, to, step }) => {
                    message.floating_point_range =
                        vec![FloatingPointRange { from_value: from, to_value: to, step }];
                }
                None => {}
            }
        }
        message
    }

    /// The names that `rcl_interfaces/srv/ListParameters` asks for, and their prefixes. `depth` 0
    /// is any depth.
    pub fn list(&self, prefixes: &[String], depth: u64) -> (Vec<String>, Vec<String>) {
        let dots = |text: &str| text.matches('.').count() as u64;
        let entries = self.inner.entries.lock();
        let mut names = Vec::new();
        let mut groups: Vec<String> = Vec::new();
        for name in entries.keys() {
            let shallow = |rest: &str| depth == 0 || dots(rest) < depth;
            let wanted = if prefixes.is_empty() {
                shallow(name)
            } else {
                prefixes.iter().any(|prefix| {
                    name == prefix
                        || name
                            .strip_prefix(prefix.as_str())
                            .and_then(|rest| rest.strip_prefix('.'))
                            .is_some_and(shallow)
                })
            };
            if wanted {
                names.push(name.clone());
                if let Some((group, _)) = name.rsplit_once('.')
                    && !groups.iter().any(|known| known == group)
                {
                    groups.push(group.to_owned());
                }
            }
        }
        (names, groups)
    }
}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.all()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Parameters {
        let parameters = Parameters::new(
            "/n",
            vec![("rate".into(), Value::Integer(20)), ("typo".into(), Value::Bool(true))],
        );
        parameters
            .declare("rate", 10.0, Descriptor::new("Rate in Hz.").doubles(1.0, 100.0))
            .unwrap();
        parameters.declare("low", 1_i64, Descriptor::new("Low.").integers(0, 10)).unwrap();
        parameters.declare("high", 5_i64, Descriptor::new("High.").integers(0, 10)).unwrap();
        parameters
            .declare("model.path", "m".to_owned(), Descriptor::new("Folder.").read_only())
            .unwrap();
        parameters
            .declare(
                "mode",
                "clamp".to_owned(),
                Descriptor::new("Mode.").one_of(["reject", "clamp"]),
            )
            .unwrap();
        parameters.on_set(|proposal| {
            if proposal.get::<i64>("low")? > proposal.get::<i64>("high")? {
                return Err("low must not exceed high".into());
            }
            Ok(())
        });
        parameters
    }

    #[test]
    fn on_and_off_are_texts_where_they_are_choices() {
        let given = vec![("mode".into(), Value::Bool(false)), ("flag".into(), Value::Bool(true))];
        let parameters = Parameters::new("/n", given);
        let modes = || Descriptor::new("Mode.").one_of(["on", "cached", "off"]);
        assert_eq!(parameters.declare("mode", "on".to_owned(), modes()).unwrap(), "off");
        parameters.set("mode", Value::Bool(true)).unwrap();
        assert_eq!(parameters.get::<String>("mode").unwrap(), "on");
        let texts = Descriptor::new("Flag.").one_of(["left", "right"]);
        assert!(parameters.declare("flag", "left".to_owned(), texts).is_err());
    }

    #[test]
    fn an_override_replaces_the_default_and_an_integer_serves_as_a_double() {
        assert_eq!(parameters().get::<f64>("rate"), Ok(20.0));
    }

    #[test]
    fn an_override_that_is_not_declared_is_known_by_its_name() {
        assert_eq!(parameters().unknown(), ["typo"]);
        assert!(!parameters().is_taken("typo") && parameters().is_taken("rate"));
    }

    #[test]
    fn values_outside_the_declaration_are_refused() {
        let parameters = parameters();
        assert!(matches!(parameters.set("rate", 0.5), Err(ParameterError::OutOfRange { .. })));
        assert!(matches!(parameters.set("rate", f64::NAN), Err(ParameterError::OutOfRange { .. })));
        assert!(matches!(parameters.set("rate", "fast"), Err(ParameterError::WrongKind { .. })));
        assert!(matches!(parameters.set("mode", "maybe"), Err(ParameterError::OutOfRange { .. })));
        assert!(matches!(parameters.set("none", 1_i64), Err(ParameterError::NotDeclared(_))));
        assert!(matches!(parameters.set("model.path", "x"), Err(ParameterError::ReadOnly(_))));
        assert_eq!(parameters.get::<f64>("rate"), Ok(20.0));
    }

    #[test]
    fn a_set_that_is_invalid_as_a_whole_changes_nothing() {
        let parameters = parameters();
        let result =
            parameters.set_all(vec![("high".into(), 2_i64.into()), ("low".into(), 3_i64.into())]);
        assert_eq!(result, Err(ParameterError::Inconsistent("low must not exceed high".into())));
        assert_eq!(parameters.get::<i64>("high"), Ok(5));
        parameters
            .set_all(vec![("high".into(), 8_i64.into()), ("low".into(), 7_i64.into())])
            .unwrap();
        assert_eq!(parameters.get::<i64>("low"), Ok(7));
    }

    #[test]
    fn listeners_get_what_changed() {
        let parameters = parameters();
        let changes_seen = Arc::new(Mutex::new(Vec::new()));
        let into = changes_seen.clone();
        parameters.on_change(move |changes| into.lock().extend_from_slice(changes));
        parameters.set("low", 2_i64).unwrap();
        let _ = parameters.set("low", 11_i64);
        assert_eq!(*changes_seen.lock(), [("low".to_owned(), Value::Integer(2))]);
    }

    #[test]
    fn listing_follows_prefix_and_depth() {
        let parameters = parameters();
        assert_eq!(parameters.list(&["model".into()], 0).0, ["model.path"]);
        assert_eq!(parameters.list(&[], 1).0, ["high", "low", "mode", "rate"]);
        assert_eq!(parameters.list(&[], 0).1, ["model"]);
    }
}
