package model

import (
	"fmt"
	"math"
	"slices"

	"talkstack/internal/model/graph"
)

// rewriteKokoro replaces the dynamically quantised convolutions of Kokoro, for which onnxruntime has only a slow
// kernel, and leaves the arithmetic as it is. With vnni they become a gather of columns and an integer matrix product of
// unsigned activations with signed weights, which the processor has instructions for: about a quarter of the time.
// Without, they become convolutions in floating point with the dequantised weights: less than half the time, and four
// times the size.
func rewriteKokoro(src []byte, vnni bool) ([]byte, error) {
	m, err := graph.Parse(src)
	if err != nil {
		return nil, err
	}
	r := kokoroRewrite{model: m, made: m.Producers(), read: m.Consumers(), columns: map[string]string{}}
	nodes := make([]*graph.Node, 0, 2*len(m.Nodes))
	replaced := map[*graph.Node]bool{}
	for _, n := range m.Nodes {
		switch {
		case replaced[n]:
		case n.Op == "ConvInteger":
			c, err := r.match(n)
			if err != nil {
				return nil, fmt.Errorf("model: kokoro: convolution %q: %w", n.Name, err)
			}
			for _, after := range c.after {
				replaced[after] = true
			}
			if vnni && c.fits() {
				nodes = append(nodes, r.product(c)...)
			} else {
				nodes = append(nodes, r.float(c))
			}
		default:
			nodes = append(nodes, n)
		}
	}
	if len(replaced) == 0 {
		return nil, fmt.Errorf("model: kokoro: no quantised convolutions found")
	}
	m.Nodes = nodes
	m.Prune()
	return m.Encode(), nil
}

type kokoroRewrite struct {
	model   *graph.Model
	made    map[string]*graph.Node
	read    map[string][]*graph.Node
	columns map[string]string // quantised activation → the same with channels last
	count   int
}

// convolution is DynamicQuantizeLinear → ConvInteger [→ Add of the bias] → Cast → Mul by the product of both scales.
type convolution struct {
	node     *graph.Node
	after    []*graph.Node // the nodes behind it that go with it
	source   *graph.Node   // the DynamicQuantizeLinear: quantised, scale, zero point
	weight   *graph.Tensor // [output channels, input channels, taps]
	weights  []int32
	zero     int32
	scale    float32
	scaleOf  string // the constant that holds scale
	bias     string // constant in floating point, or empty
	output   string
	group    int64
	stride   int64
	dilation int64
	padLeft  int64
	padRight int64
}

func (r *kokoroRewrite) match(n *graph.Node) (*convolution, error) {
	if len(n.Inputs) != 4 || len(n.Outputs) != 1 {
		return nil, fmt.Errorf("%d inputs", len(n.Inputs))
	}
	c := &convolution{node: n, source: r.made[n.Inputs[0]], weight: r.model.Constant(n.Inputs[1])}
	if c.source == nil || c.source.Op != "DynamicQuantizeLinear" || len(c.source.Inputs) != 1 || len(c.source.Outputs) != 3 {
		return nil, fmt.Errorf("its input is not quantised on the fly")
	}
	if c.weight == nil || len(c.weight.Dims) != 3 {
		return nil, fmt.Errorf("its weights are not a constant of three dimensions")
	}
	if err := r.matchAfter(c); err != nil {
		return nil, err
	}
	if err := r.matchWeights(c); err != nil {
		return nil, err
	}
	return c, c.geometry()
}

// matchAfter follows what is done with the integers: add the bias, cast, scale.
func (r *kokoroRewrite) matchAfter(c *convolution) error {
	value := c.node.Outputs[0]
	if add := r.only(value, "Add"); add != nil {
		// The bias comes from Div(bias, scale) → Floor → Cast → Reshape.
		from := r.made[other(add, value)]
		for from != nil && from.Op != "Div" && len(from.Inputs) > 0 {
			from = r.made[from.Inputs[0]]
		}
		if from == nil || len(from.Inputs) != 2 || r.model.Constant(from.Inputs[0]) == nil {
			return fmt.Errorf("its bias is not a constant")
		}
		c.bias = from.Inputs[0]
		c.after = append(c.after, add)
		value = add.Outputs[0]
	}
	cast := r.only(value, "Cast")
	if cast == nil {
		return fmt.Errorf("no cast behind it")
	}
	mul := r.only(cast.Outputs[0], "Mul")
	if mul == nil {
		return fmt.Errorf("no scaling behind it")
	}
	c.after = append(c.after, cast, mul)
	c.output = mul.Outputs[0]
	scale := r.made[other(mul, cast.Outputs[0])]
	if scale == nil || scale.Op != "Mul" || len(scale.Inputs) != 2 || !slices.Contains(scale.Inputs, c.source.Outputs[1]) {
		return fmt.Errorf("its scale is not the product of two")
	}
	c.scaleOf = other(scale, c.source.Outputs[1])
	return nil
}

func (r *kokoroRewrite) matchWeights(c *convolution) error {
	zero, scale := r.model.Constant(c.node.Inputs[3]), r.model.Constant(c.scaleOf)
	if c.weight.Type != graph.Uint8 || zero == nil || scale == nil {
		return fmt.Errorf("its weights are not unsigned bytes with a constant scale")
	}
	zeros, err := zero.Ints()
	if err != nil {
		return err
	}
	scales, err := scale.Floats()
	if err != nil {
		return err
	}
	if len(zeros) != 1 || len(scales) != 1 {
		return fmt.Errorf("its weights are quantised channel by channel")
	}
	c.zero, c.scale = zeros[0], scales[0]
	c.weights, err = c.weight.Ints()
	return err
}

func (c *convolution) geometry() error {
	group, err := c.node.Int("group", 1)
	if err != nil {
		return err
	}
	c.group, c.stride, c.dilation = group, 1, 1
	for name, to := range map[string][]*int64{
		"strides": {&c.stride}, "dilations": {&c.dilation}, "pads": {&c.padLeft, &c.padRight},
	} {
		v, err := c.node.Ints(name)
		if err != nil {
			return err
		}
		if len(v) != 0 && len(v) != len(to) {
			return fmt.Errorf("%d %s", len(v), name)
		}
		for i := range v {
			*to[i] = v[i]
		}
	}
	return nil
}

// fits reports whether the convolution can be a plain matrix product. Fewer than four output channels are not worth it.
func (c *convolution) fits() bool { return c.group == 1 && c.stride == 1 && c.weight.Dims[0] >= 4 }

// float is the convolution in floating point.
func (r *kokoroRewrite) float(c *convolution) *graph.Node {
	weights := make([]float32, len(c.weights))
	for i, v := range c.weights {
		weights[i] = float32(v-c.zero) * c.scale
	}
	name := c.weight.Name + "_float"
	r.model.Add(graph.NewFloats(name, c.weight.Dims, weights))
	n := c.node
	n.Op = "Conv"
	n.Inputs = []string{c.source.Inputs[0], name}
	if c.bias != "" {
		n.Inputs = append(n.Inputs, c.bias)
	}
	n.Outputs = []string{c.output}
	return n
}

// product is the convolution as a matrix product: each row holds, for one output sample, the inputs under all taps.
func (r *kokoroRewrite) product(c *convolution) []*graph.Node {
	var nodes []*graph.Node
	r.count++
	name := func(part string) string { return fmt.Sprintf("conv%d_%s", r.count, part) }
	add := func(op string, out string, in []string, attributes ...graph.Attribute) string {
		nodes = append(nodes, graph.NewNode(op, out+"_"+op, in, []string{out}, attributes...))
		return out
	}
	zero := c.node.Inputs[2]

	rows := r.columns[c.node.Inputs[0]]
	if rows == "" {
		rows = add("Transpose", c.node.Inputs[0]+"_rows", []string{c.node.Inputs[0]}, graph.Ints("perm", 0, 2, 1))
		r.columns[c.node.Inputs[0]] = rows
	}
	if c.padLeft+c.padRight > 0 {
		rows = add("Pad", name("padded"), []string{rows, r.list(0, c.padLeft, 0, 0, c.padRight, 0), zero})
	}
	taps := c.weight.Dims[2]
	if taps > 1 {
		var parts []string
		for k := range taps {
			end := -(taps - 1 - k) * c.dilation
			if k == taps-1 {
				end = math.MaxInt32 // up to the end
			}
			parts = append(parts, add("Slice", name(fmt.Sprintf("tap%d", k)), []string{rows, r.list(k * c.dilation), r.list(end), r.list(1)}))
		}
		rows = add("Concat", name("columns"), parts, graph.Int("axis", 2))
	}
	weights, weightZero := r.signedWeights(c, name("weights"), name("zero"))
	ints := add("MatMulInteger", name("product"), []string{rows, weights, zero, weightZero})
	floats := add("Cast", name("float"), []string{ints}, graph.Int("to", int64(graph.Float)))
	scale := add("Mul", name("scale"), []string{c.source.Outputs[1], c.scaleOf})
	out := add("Mul", name("scaled"), []string{floats, scale})
	if c.bias != "" {
		out = add("Add", name("biased"), []string{out, c.bias})
	}
	add("Transpose", c.output, []string{out}, graph.Ints("perm", 0, 2, 1))
	return nodes
}

// signedWeights turns the weights into a matrix of (tap, input channel) by output channel, moved from 0…255 to
// -128…127 together with their zero point.
func (r *kokoroRewrite) signedWeights(c *convolution, name, zeroName string) (weights, zero string) {
	outs, ins, taps := c.weight.Dims[0], c.weight.Dims[1], c.weight.Dims[2]
	matrix := make([]int8, len(c.weights))
	for o := range outs {
		for i := range ins {
			for k := range taps {
				matrix[(k*ins+i)*outs+o] = int8(c.weights[(o*ins+i)*taps+k] - 128)
			}
		}
	}
	r.model.Add(graph.NewInt8s(name, []int64{taps * ins, outs}, matrix))
	r.model.Add(graph.NewInt8s(zeroName, nil, []int8{int8(c.zero - 128)}))
	return name, zeroName
}

// list is a constant list of integers, shared by all that need the same.
func (r *kokoroRewrite) list(v ...int64) string {
	name := fmt.Sprintf("list%v", v)
	if r.model.Constant(name) == nil {
		r.model.Add(graph.NewInt64s(name, v...))
	}
	return name
}

// only is the single reader of a value if it is of that operator and takes two inputs or one.
func (r *kokoroRewrite) only(value, op string) *graph.Node {
	readers := r.read[value]
	if len(readers) != 1 || readers[0].Op != op || len(readers[0].Outputs) != 1 {
		return nil
	}
	if want := map[string]int{"Add": 2, "Mul": 2, "Cast": 1}[op]; len(readers[0].Inputs) != want {
		return nil
	}
	return readers[0]
}

// other is the input of a two-input node that is not value.
func other(n *graph.Node, value string) string {
	if n.Inputs[0] == value {
		return n.Inputs[1]
	}
	return n.Inputs[0]
}
