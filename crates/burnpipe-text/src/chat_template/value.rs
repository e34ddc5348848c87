//! JSON as the values that a template sees.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, State, Value};

/// The value of a template's variable.
pub(super) fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(flag) => Value::from(*flag),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(values) => Value::from(values.iter().map(from_json).collect::<Vec<_>>()),
        serde_json::Value::Object(object) => {
            let entries = object.iter().map(|(key, value)| (key.as_str(), from_json(value)));
            Value::from_object(Dict(Value::from_pairs(entries)))
        }
    }
}

/// An object as Python's dict, whose attributes are its methods before they are its keys: `spec.items` is
/// a method also where the object has a key `items`, as JSON schemas of arrays have. Some published templates
/// print something else than they mean because of that, and models were trained on what they print.
#[derive(Debug)]
struct Dict(Value);

impl Dict {
    fn get(&self, key: &Value) -> Option<Value> {
        self.0.get_item(key).ok().filter(|value| !value.is_undefined())
    }
}

impl Object for Dict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key)
    }

    /// Templates come here for `dict.name`, and to `get_value` for `dict['name']`.
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "copy" | "fromkeys" | "get" | "items" | "keys" | "values" => {
                let dict = Value::from_dyn_object(self.clone());
                Some(Value::from_object(BoundMethod { dict, name: key.to_owned() }))
            }
            // Methods that change the dict are hidden by Python's sandbox.
            "clear" | "pop" | "popitem" | "setdefault" | "update" => None,
            _ => self.get(&Value::from(key)),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.0.try_iter().map_or(Enumerator::Empty, |keys| Enumerator::Values(keys.collect()))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        self.0.len()
    }
}

/// A method of a dict that is not called yet.
#[derive(Debug)]
struct BoundMethod {
    dict: Value,
    name: String,
}

impl Object for BoundMethod {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        self.dict.call_method(state, &self.name, arguments)
    }

    fn render(self: &Arc<Self>, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "<built-in method {} of dict object>", self.name)
    }
}
