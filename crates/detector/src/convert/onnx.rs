//! As much of the ONNX format (onnx.proto, version 3) as an export of YOLOX uses: the convolutions in their order and
//! their numbers.

use std::collections::HashMap;

use prost::Message;

/// `TensorProto.DataType.FLOAT`.
const FLOAT: i32 = 1;

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(int64, repeated, tag = "8")]
    ints: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
    /// 1: the numbers lie in another file.
    #[prost(int32, tag = "14")]
    data_location: i32,
}

/// A convolution of the graph.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) shape: [usize; 4],
    pub(crate) stride: usize,
    pub(crate) groups: usize,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// The convolutions in the order of the graph.
pub(crate) fn convolutions(bytes: &[u8]) -> Result<Vec<Found>, String> {
    let model = Model::decode(bytes).map_err(|error| error.to_string())?;
    let graph = model.graph.ok_or("it has no graph")?;
    let tensors: HashMap<&str, &Tensor> = graph
        .initializer
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor))
        .collect();
    let nodes = graph.node.iter().filter(|node| node.op_type == "Conv");
    nodes
        .enumerate()
        .map(|(number, node)| {
            found(node, &tensors).map_err(|reason| format!("convolution {number}: {reason}"))
        })
        .collect()
}

fn found(node: &Node, tensors: &HashMap<&str, &Tensor>) -> Result<Found, String> {
    let tensor = |place: usize, what: &str| {
        let name = node.input.get(place).map_or("", String::as_str);
        let tensor = tensors.get(name).ok_or_else(|| {
            format!("it has no {what} among the model's numbers; batch normalisation must be folded into it")
        })?;
        numbers(tensor).map_err(|reason| format!("its {what} {reason}"))
    };
    let (shape, weight) = tensor(1, "weight")?;
    let (_, bias) = tensor(2, "bias")?;
    let shape: [usize; 4] = shape
        .try_into()
        .map_err(|shape: Vec<usize>| format!("its weight has {} dimensions, not 4", shape.len()))?;
    let attribute = |name: &str| node.attribute.iter().find(|one| one.name == name);
    let positive =
        |number: i64| usize::try_from(number).map_err(|_| format!("{number} is no stride or group"));
    Ok(Found {
        shape,
        stride: positive(
            attribute("strides")
                .and_then(|one| one.ints.first().copied())
                .unwrap_or(1),
        )?,
        groups: positive(attribute("group").map_or(1, |one| one.i))?,
        weight,
        bias,
    })
}

fn numbers(tensor: &Tensor) -> Result<(Vec<usize>, Vec<f32>), String> {
    if tensor.data_type != FLOAT {
        return Err(format!(
            "is of type {}, not of 32-bit floating point",
            tensor.data_type
        ));
    }
    if tensor.data_location != 0 {
        return Err("lies in another file".to_owned());
    }
    let shape: Result<Vec<usize>, _> = tensor.dims.iter().map(|&side| usize::try_from(side)).collect();
    let shape = shape.map_err(|_| "has a negative dimension".to_owned())?;
    let (raw, rest) = tensor.raw_data.as_chunks::<4>();
    let numbers = match tensor.float_data.is_empty() {
        false => tensor.float_data.clone(),
        true if rest.is_empty() => raw.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        true => return Err("ends within a number".to_owned()),
    };
    let expected = shape
        .iter()
        .try_fold(1_usize, |product, &side| product.checked_mul(side));
    if expected != Some(numbers.len()) {
        return Err(format!("has {} numbers for shape {shape:?}", numbers.len()));
    }
    Ok((shape, numbers))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A model with these convolutions, written as exports are.
    pub(crate) fn model(convolutions: &[Found]) -> Vec<u8> {
        let mut graph = Graph::default();
        for (number, one) in convolutions.iter().enumerate() {
            let names = [format!("w{number}"), format!("b{number}")];
            for (name, dims, numbers) in [
                (&names[0], one.shape.to_vec(), &one.weight),
                (&names[1], vec![one.bias.len()], &one.bias),
            ] {
                graph.initializer.push(Tensor {
                    dims: dims.iter().map(|&side| side as i64).collect(),
                    data_type: FLOAT,
                    name: name.clone(),
                    raw_data: numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
                    ..Tensor::default()
                });
            }
            let attribute = |name: &str, i, ints| Attribute {
                name: name.into(),
                i,
                ints,
            };
            graph.node.push(Node {
                input: [vec![format!("x{number}")], names.to_vec()].concat(),
                op_type: "Conv".into(),
                attribute: vec![
                    attribute("group", one.groups as i64, Vec::new()),
                    attribute("strides", 0, vec![one.stride as i64; 2]),
                ],
            });
            graph.node.push(Node {
                input: vec![format!("y{number}")],
                op_type: "Sigmoid".into(),
                attribute: Vec::new(),
            });
        }
        Model { graph: Some(graph) }.encode_to_vec()
    }

    fn one() -> Found {
        Found {
            shape: [2, 1, 1, 1],
            stride: 2,
            groups: 1,
            weight: vec![0.5, -1.0],
            bias: vec![1.0, 2.0],
        }
    }

    #[test]
    fn convolutions_come_in_their_order() {
        let other = Found { groups: 2, ..one() };
        assert_eq!(
            convolutions(&model(&[one(), other.clone()])),
            Ok(vec![one(), other])
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let short = Found {
            weight: vec![0.5],
            ..one()
        };
        let reason = convolutions(&model(&[one(), short])).unwrap_err();
        assert!(
            reason.contains("convolution 1: its weight has 1 numbers for shape [2, 1, 1, 1]"),
            "{reason}"
        );
        assert!(convolutions(b"no protobuf at all").is_err());
        assert_eq!(convolutions(&[]), Err("it has no graph".to_owned()));
    }
}
