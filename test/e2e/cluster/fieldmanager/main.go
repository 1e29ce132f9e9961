// Runs sequences of writes through Kubernetes' own field manager, as it is set up for custom resources.
//
// One JSON document a line in, one out:
//
//	in   {"definitions": [CRD...], "steps": [{"definition": 0, "version": "v1", "subresource": "",
//	      "verb": "apply"|"update"|"patch", "manager": "a", "force": false, "object": {...}}]}
//	out  {"outcomes": [{"object": {...}} | {"status": {...}}]}
//
// A step's object becomes the live one of the next, with the uid that an update must find. Nothing of a
// write but its field management happens: no defaults, no strategy. Conversion by webhook is done here, as
// gateway/apply/scenario.fixture.ts says.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/conversion"
	"k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/spec3"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/yaml"
)

type sequence struct {
	Definitions []*apiextensionsv1.CustomResourceDefinition `json:"definitions"`
	Steps       []step                                      `json:"steps"`
}

type step struct {
	Definition  int             `json:"definition"`
	Version     string          `json:"version"`
	Subresource string          `json:"subresource"`
	Verb        string          `json:"verb"`
	Manager     string          `json:"manager"`
	Force       bool            `json:"force"`
	Object      json.RawMessage `json:"object"`
}

type outcome struct {
	Object map[string]any `json:"object,omitempty"`
	Status *metav1.Status `json:"status,omitempty"`
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		answer, err := run(line)
		if err != nil {
			answer = map[string]any{"error": err.Error()}
		}
		encoded, err := json.Marshal(answer)
		if err != nil {
			panic(err)
		}
		out.Write(encoded)
		out.WriteByte('\n')
		out.Flush()
	}
}

func run(line []byte) (any, error) {
	var given sequence
	if err := json.Unmarshal(line, &given); err != nil {
		return nil, err
	}
	resources := make([]*resource, len(given.Definitions))
	for i, definition := range given.Definitions {
		made, err := newResource(definition)
		if err != nil {
			return nil, err
		}
		resources[i] = made
	}
	var live *unstructured.Unstructured
	outcomes := []outcome{}
	for _, next := range given.Steps {
		written, err := resources[next.Definition].write(live, next)
		if err != nil {
			outcomes = append(outcomes, outcome{Status: statusOf(err)})
			continue
		}
		written.SetUID("3f1e")
		live = written
		outcomes = append(outcomes, outcome{Object: live.DeepCopy().Object})
	}
	return map[string]any{"outcomes": outcomes}, nil
}

func statusOf(err error) *metav1.Status {
	var known apierrors.APIStatus
	if errors.As(err, &known) {
		status := known.Status()
		return &status
	}
	return &metav1.Status{Status: "Failure", Code: 500, Message: err.Error()}
}

// resource holds what Kubernetes keeps for one definition.
type resource struct {
	definition *apiextensionsv1.CustomResourceDefinition
	types      managedfields.TypeConverter
	converter  runtime.ObjectConvertor
	managers   map[string]*managedfields.FieldManager
}

func newResource(definition *apiextensionsv1.CustomResourceDefinition) (*resource, error) {
	specs := []*spec3.OpenAPI{}
	for _, version := range definition.Spec.Versions {
		spec, err := builder.BuildOpenAPIV3(definition, version.Name, builder.Options{})
		if err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	merged, err := builder.MergeSpecsV3(specs...)
	if err != nil {
		return nil, err
	}
	types, err := managedfields.NewTypeConverter(merged.Components.Schemas, false)
	if err != nil {
		return nil, err
	}
	converts := definition.Spec.Conversion.Strategy == apiextensionsv1.WebhookConverter
	definition.Spec.Conversion.Strategy = apiextensionsv1.NoneConverter
	factory, err := conversion.NewCRConverterFactory(nil, nil)
	if err != nil {
		return nil, err
	}
	converter, _, err := factory.NewConverter(definition)
	if err != nil {
		return nil, err
	}
	if converts {
		converter = webhook{converter}
	}
	return &resource{definition, types, converter, map[string]*managedfields.FieldManager{}}, nil
}

// webhook names the fields of a spec anew in each version.
type webhook struct{ runtime.ObjectConvertor }

func (w webhook) ConvertToVersion(in runtime.Object, target runtime.GroupVersioner) (runtime.Object, error) {
	from := in.GetObjectKind().GroupVersionKind()
	out, err := w.ObjectConvertor.ConvertToVersion(in, target)
	if err != nil {
		return nil, err
	}
	object := out.(*unstructured.Unstructured).Object
	version := out.GetObjectKind().GroupVersionKind().Version
	spec, ok := object["spec"].(map[string]any)
	if !ok || version == from.Version {
		return out, nil
	}
	converted := map[string]any{}
	for field, value := range spec {
		if value == "50%" {
			return nil, fmt.Errorf("conversion webhook for %v failed: what is half?", from)
		}
		name := prefixOf(version) + strings.TrimPrefix(field, prefixOf(from.Version))
		if name != "v2_c" {
			converted[name] = value
		}
	}
	object["spec"] = converted
	return out, nil
}

func prefixOf(version string) string {
	if version == "v1" {
		return ""
	}
	return version + "_"
}

func (r *resource) write(live *unstructured.Unstructured, next step) (*unstructured.Unstructured, error) {
	kind := schema.GroupVersionKind{Group: r.definition.Spec.Group, Version: next.Version, Kind: r.definition.Spec.Names.Kind}
	manager, err := r.managerOf(kind, next.Subresource)
	if err != nil {
		return nil, err
	}
	current := &unstructured.Unstructured{Object: map[string]any{}}
	current.SetGroupVersionKind(kind)
	if live != nil {
		converted, err := r.converter.ConvertToVersion(live, kind.GroupVersion())
		if err != nil {
			return nil, err
		}
		current = converted.(*unstructured.Unstructured)
	}
	switch next.Verb {
	case "apply":
		patch := &unstructured.Unstructured{Object: map[string]any{}}
		if err := yaml.Unmarshal(next.Object, &patch.Object); err != nil {
			return nil, err
		}
		object, err := manager.Apply(current, patch, next.Manager, next.Force)
		if err != nil {
			return nil, err
		}
		return object.(*unstructured.Unstructured), nil
	case "patch":
		before, err := json.Marshal(current.Object)
		if err != nil {
			return nil, err
		}
		if next.Object, err = jsonpatch.MergePatch(before, next.Object); err != nil {
			return nil, err
		}
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(next.Object); err != nil {
		return nil, err
	}
	return manager.UpdateNoErrors(current, object, next.Manager).(*unstructured.Unstructured), nil
}

func (r *resource) managerOf(kind schema.GroupVersionKind, subresource string) (*managedfields.FieldManager, error) {
	key := kind.Version + "/" + subresource
	if known, ok := r.managers[key]; ok {
		return known, nil
	}
	reset := map[fieldpath.APIVersion]*fieldpath.Set{}
	for _, version := range r.definition.Spec.Versions {
		if version.Subresources == nil || version.Subresources.Status == nil {
			continue
		}
		fields := fieldpath.NewSet(fieldpath.MakePathOrDie("status"))
		if subresource == "status" {
			fields = fieldpath.NewSet(fieldpath.MakePathOrDie("metadata"), fieldpath.MakePathOrDie("spec"))
		} else if version.Name != kind.Version {
			continue
		}
		reset[fieldpath.APIVersion(schema.GroupVersion{Group: kind.Group, Version: version.Name}.String())] = fields
	}
	made, err := managedfields.NewDefaultCRDFieldManager(r.types, r.converter, noDefaults{}, creater{}, kind,
		kind.GroupVersion(), subresource, fieldpath.NewExcludeFilterSetMap(reset))
	if err != nil {
		return nil, fmt.Errorf("no field manager for %v: %w", kind, err)
	}
	r.managers[key] = made
	return made, nil
}

type noDefaults struct{}

func (noDefaults) Default(runtime.Object) {}

type creater struct{}

func (creater) New(kind schema.GroupVersionKind) (runtime.Object, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	return object, nil
}
