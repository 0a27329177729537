package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

const recipesConfig = `sources:
  - {key: web, kind: segment}
  - {key: mobile, kind: rudderstack}
  - {key: warehouse, kind: census}
environments:
  - key: production
    connections: {web: {write_keys: [w]}, mobile: {write_keys: [m]}, warehouse: {write_keys: [h]}}
    rules: [recipe.yaml]
`

// leastRecipes are promised to the readers of the guide.
const leastRecipes = 20

// Each recipe of the guide is a whole rule file, whose tests pass and match each of its rules.
func TestTheRecipes(t *testing.T) {
	guide, err := os.ReadFile("rules/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(guide), "\n## Recipes\n")
	section, _, _ = strings.Cut(section, "\n## ")
	recipes := regexp.MustCompile("(?s)### (\\d+\\. [^\n]+)\n\n([^\n].*?)\n\n```yaml recipe\n(.*?)```\n").FindAllStringSubmatch(section, -1)
	headings, blocks := strings.Count(section, "\n### "), strings.Count(section, "```yaml recipe\n")
	if len(recipes) < leastRecipes || len(recipes) != headings || len(recipes) != blocks {
		t.Errorf("%d recipes under %d headings with %d rule files; at least %d are wanted", len(recipes), headings, blocks, leastRecipes)
	}
	for _, recipe := range recipes {
		t.Run(recipe[1], func(t *testing.T) {
			code, stdout, stderr := runTests(t, map[string]string{"switchyard.yaml": recipesConfig, "recipe.yaml": recipe[3]})
			if code != exitGood || strings.Contains(stdout, "no tests") || strings.Contains(stdout, "hint:") {
				t.Errorf("exit %d\n%s%s", code, stdout, stderr)
			}
		})
	}
}
