package plain

import "reflect"

// Deep applies Text to every string inside a value: fields, elements, values of maps. The pointer says that it changes the value itself,
// with all that it points to. A field with the tag plain:"raw" is left as it is: whoever shows it sees to it.
func Deep[T any](v *T, most int) { deep(reflect.ValueOf(v), most) }

func deep(v reflect.Value, most int) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			deep(v.Elem(), most)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("plain") != "raw" {
				deep(v.Field(i), most)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			deep(v.Index(i), most)
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(Text(v.String(), most))
		}
	}
}
