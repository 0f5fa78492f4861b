package web // want "the file has 401 lines"

type many struct{}

func (*many) m1()  {}
func (*many) m2()  {}
func (*many) m3()  {}
func (*many) m4()  {}
func (*many) m5()  {}
func (*many) m6()  {}
func (*many) m7()  {}
func (*many) m8()  {}
func (*many) m9()  {}
func (*many) m10() {}
func (*many) m11() {}
func (*many) m12() {}
func (*many) m13() {}
func (*many) m14() {}
func (*many) m15() {}
func (*many) m16() {}
func (*many) m17() {}
func (*many) m18() {}
func (*many) m19() {}
func (*many) m20() {}
func (*many) m21() {}
func (*many) m22() {}
func (*many) m23() {}
func (*many) m24() {}
func (*many) m25() {}
func (*many) m26() {}
func (*many) m27() {}
func (*many) m28() {}
func (*many) m29() {}
func (*many) m30() {}
func (*many) m31() {}
func (*many) m32() {}
func (*many) m33() {}
func (*many) m34() {}
func (*many) m35() {}
func (*many) m36() {}
func (*many) m37() {}
func (*many) m38() {}
func (*many) m39() {}
func (*many) m40() {}
func (*many) m41() {} // want "the type many has more than 40 methods"

func long() { // want "the function long has 63 lines"
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
}

func fits() {
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
	_ = 0
}

// This line is too wide. xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx // want "the line has 161 characters"

// This line fits. ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé

/*
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
Nothing.
*/
func last() {}
