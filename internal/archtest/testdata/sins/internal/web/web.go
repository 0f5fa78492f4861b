// Package web is not in the tables. It never was.
package web

import _ "github.com/ebbhq/ebb/internal/fleet" // want "internal/web is not in the table"
