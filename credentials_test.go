package remotetapprocessor

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParametersWithCredentialsAreTakenOut(t *testing.T) {
	tests := []struct{ name, query, want string }{
		{"no query", "", ""},
		{"nothing to take out", "service=a&x.y=b", "service=a&x.y=b"},
		{"the only one", "token=s3cret", ""},
		{"among others, which stay as they were written", "service=a%20b&token=s3cret&where=x%3D1", "service=a%20b&where=x%3D1"},
		{"twice", "token=s3cret&count=1&token=s3cret", "count=1"},
		{"with an escaped name", "%74oken=s3cret", ""},
		{"without a value", "token&count=1", "count=1"},
		{"with a semicolon in its value", "token=s3;cret", ""},
		{"another that has one", "x.key=s3cret&count=1", "count=1"},
		{"in another case, which confighttp does not take for it", "Token=1", "Token=1"},
		{"a value of that name", "service=token", "service=token"},
		{"what does not decode", "%zz=1", "%zz=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, withoutParameters(tt.query, []string{"token", "x.key"}))
		})
	}
}
